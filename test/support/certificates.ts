/**
 * Certificates for tests, as PEM, valid from 2020 to 2120: of a CA, for a server as localhost and 127.0.0.1, for a client,
 * and of another CA for a client that the server does not know. Their keys are secret to nobody. Kept here, since a machine
 * that runs the tests need not have openssl; they were made by
 *
 *     issue() { # name, extension, who signs
 *       openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key
 *       printf "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=any
 *     [any]\ncommonName=supplied\n[ext]\n$2\n" >config && touch index
 *       openssl req -new -key $1.key -subj "/CN=$1" | openssl ca -batch -notext -config config -extensions ext \
 *         -in /dev/stdin -startdate 20200101000000Z -enddate 21200101000000Z $3 -out $1.crt
 *     }
 *     issue ca basicConstraints=critical,CA:true '-selfsign -keyfile ca.key'
 *     issue other-ca basicConstraints=critical,CA:true '-selfsign -keyfile other-ca.key'
 *     issue server subjectAltName=DNS:localhost,IP:127.0.0.1 '-cert ca.crt -keyfile ca.key'
 *     issue client extendedKeyUsage=clientAuth '-cert ca.crt -keyfile ca.key'
 *     issue stranger extendedKeyUsage=clientAuth '-cert other-ca.crt -keyfile other-ca.key'
 */

export const ca = `-----BEGIN CERTIFICATE-----
MIIBUDCB9qADAgECAhQTN4FQBnJmYtfu3xHKaqP/tGYImDAKBggqhkjOPQQDAjAN
MQswCQYDVQQDDAJjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFow
DTELMAkGA1UEAwwCY2EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQlSyEoPFUM
QkkMJct28F9ePJHVZYbLeI5dXvplf/UWFtMfJBd1U6UMgH9IPugRsNeP9f56qgrm
cnaUTVbp8SlAozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBSEkg2iFD0F
gqrkWZ2HfxB4Vzu+nDAKBggqhkjOPQQDAgNJADBGAiEAtoiSqX5HfzFQi6EoKge2
AeJ8MrTa/+bI1C5HVacupooCIQC82efpFVMvrWPc+sD/D8/Z2GlrVKeTgfCtGS2w
YJ6QXg==
-----END CERTIFICATE-----
`

export const otherCa = `-----BEGIN CERTIFICATE-----
MIIBWzCCAQKgAwIBAgIUStjy1dwI1BtIKU4d7UrKFArTX+swCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIb3RoZXItY2EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEw
MDAwMDBaMBMxETAPBgNVBAMMCG90aGVyLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEO3Fqu7RxE2ujv6JsumzMi60bofiH0a10kN23d5v07gDo3KnX7R46p/yo
4Xo2XzPuw51goGn3PmscWkg07+64DKMyMDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNV
HQ4EFgQUL/XvZ8CDWZudb4PftfxfM5AFv58wCgYIKoZIzj0EAwIDRwAwRAIgLVst
HKloWxX97grS6KSl4untN4T0Y5k5fZ/bN+Rk240CIDA36cAhe5VX4b0YLaq/qdGF
EvsSSUN28uKjYtYx/k65
-----END CERTIFICATE-----
`

export const server = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBgDCCASagAwIBAgIUExzE/cXeamL0Q6Vn0lH6NO+YtGYwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MBExDzANBgNVBAMMBnNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAYJ
0rEP9tL1NOpBu3T0a3jy7ePCuBoKFMe9hPbZebojSfMpqdU1V+i2MAF1nKJtbhF3
FIUeH5NJFj3DosUJm8CjXjBcMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAd
BgNVHQ4EFgQUgxBmm/LuYa0ahrJcEORpPwLCJRUwHwYDVR0jBBgwFoAUhJINohQ9
BYKq5Fmdh38QeFc7vpwwCgYIKoZIzj0EAwIDSAAwRQIhAOrgQNJUm40PyELOlJyM
jmA8SdWLcaoZtTeK/meMMLwFAiBZpOmtNmmTeeA8f9cwGtFXdHcXlrHWZRgJhCUz
EZxJEg==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg++wpokh+Qxf8WsN/
v6YkG7JuOMq29kgbZFC/TtDTP82hRANCAAQGCdKxD/bS9TTqQbt09Gt48u3jwrga
ChTHvYT22Xm6I0nzKanVNVfotjABdZyibW4RdxSFHh+TSRY9w6LFCZvA
-----END PRIVATE KEY-----
`,
}

export const client = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBejCCAR+gAwIBAgIUW3C8ImkSJlMGF12C5amyffhJms0wCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MBExDzANBgNVBAMMBmNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIQ4
BYNZdkWHu3Yu2a5jK0XyeDf8SevIfyNK04tCJypsGBVf3bumMoF5nfn3Pkm5tdqb
LctxkM8zM11j5YNd1xyjVzBVMBMGA1UdJQQMMAoGCCsGAQUFBwMCMB0GA1UdDgQW
BBSeAAXFbvVd5jRZZ9/Jeg4sY2bN5TAfBgNVHSMEGDAWgBSEkg2iFD0FgqrkWZ2H
fxB4Vzu+nDAKBggqhkjOPQQDAgNJADBGAiEA5oPtkCe8MvlQHf4gM3K+hy2VSigu
Ef6ZZw6q2/YQapoCIQDUFZKgNpwGtwcmIO918128hDek/JMuHbgiFzQk3z6TcQ==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOeJEVjVGchk2YiOT
eqlxwdvQTWoqqNrZhd4unyo6xx+hRANCAASEOAWDWXZFh7t2LtmuYytF8ng3/Enr
yH8jStOLQicqbBgVX927pjKBeZ359z5JubXamy3LcZDPMzNdY+WDXdcc
-----END PRIVATE KEY-----
`,
}

export const stranger = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUNMHPiuxiPhD02rDZzRVohE9tW1AwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIb3RoZXItY2EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEw
MDAwMDBaMBMxETAPBgNVBAMMCHN0cmFuZ2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAELdfHC0IKyTAm/n/P2CpWrm6og6iDJgVw9o1nzdqRc4RfZ0N8hrhEm9P4
95/LOmg696/vVtAEDe23sjjRjmV0SqNXMFUwEwYDVR0lBAwwCgYIKwYBBQUHAwIw
HQYDVR0OBBYEFJD/hM+hdqiAR8LHNxVyphNxDCG1MB8GA1UdIwQYMBaAFC/172fA
g1mbnW+D37X8XzOQBb+fMAoGCCqGSM49BAMCA0gAMEUCIQC+6PNIoHr/DHSqjAg7
LY3Q6vx/hPlaSn7hoRzLyVX6KAIgUpkZQfCpKm174NwHudse/ILon6qhsxOUet2l
UjReALg=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZV9UeiGvXeYmdUA4
LhMW9nbvnDDH+lA2a3ObiIh7rtWhRANCAAQt18cLQgrJMCb+f8/YKlaubqiDqIMm
BXD2jWfN2pFzhF9nQ3yGuESb0/j3n8s6aDr3r+9W0AQN7beyONGOZXRK
-----END PRIVATE KEY-----
`,
}
