import { type ConnectionOptions, connect } from 'node:tls'

/** The common name of the certificate that a daemon shows to a client with these. Rejects where it shows none. */
export function shownCertificate(
  address: string,
  own: Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>,
): Promise<string | undefined> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ ...own, host, port: Number(port), servername: 'localhost', ALPNProtocols: ['h2'] })
    socket.once('secureConnect', () => {
      const [, name] = /CN=(\w+)/.exec(socket.getPeerX509Certificate()?.subject ?? '') ?? []
      // Where it is gone before the daemon has read its certificate, the daemon has a failed handshake.
      socket.once('data', () => {
        resolve(name)
        socket.destroy()
      })
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}
