// The arrows: who may import whom. test/checks/arrows.test.ts proves that each kind of import is seen and refused.

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to })

/** Everything but these; node's own modules are left to rules with `builtins`, since their names look like paths. */
const allBut = (...paths) => ({ pathNot: paths, dependencyTypesNot: ['core'] })
const builtins = { dependencyTypes: ['core'] }

const npm = (...names) => `(^|/)node_modules/(${names.join('|')})/`

const core = { path: '^server/core/' }
const store = { path: '^server/store/' }
const engine = { path: '^server/engine/' }
const rpc = { path: '^server/rpc/' }
const observability = { path: '^server/observability/' }
const sdk = { path: '^client/', pathNot: '^client/(cli|examples)/' }
/** The files of the engine that make handles, digests and chance. */
const withCrypto = '^server/engine/(clock|handles|request-digest)\\.ts$'

module.exports = {
  forbidden: [
    rule('core-is-pure', 'The core imports the core.', core, allBut('^server/core/')),
    rule('core-has-no-io', 'No clock, no chance, no I/O in the core.', core, builtins),

    rule(
      'store-knows-core-and-its-driver',
      'A store imports the core, node and its driver, never the engine, rpc or proto.',
      store,
      allBut('^server/(core|store)/', npm('lmdb', 'koffi')),
    ),
    rule(
      'lmdb-in-one-file',
      'Only store/lmdb.ts knows LMDB.',
      { path: '^(server|client|proto)/', pathNot: '^server/store/lmdb\\.ts$' },
      { path: npm('lmdb') },
    ),
    rule(
      'lock-in-one-file',
      'Of the stores only lock.ts calls the C library.',
      { ...store, pathNot: '^server/store/lock\\.ts$' },
      { path: npm('koffi') },
    ),

    rule(
      'engine-knows-core-and-the-store-interface',
      'The engine imports the core and store/store.ts, never a concrete store, rpc, proto or grpc.',
      engine,
      allBut('^server/(core|engine)/', '^server/store/store\\.ts$'),
    ),
    rule(
      'engine-has-no-io',
      'Of node the engine uses what computes, and that only where handles, request keys and chance are made.',
      { ...engine, pathNot: withCrypto },
      builtins,
    ),
    rule(
      'engine-computes-only',
      'Of node the engine uses what computes: node:crypto, and the checksum of node:zlib.',
      { path: withCrypto },
      { ...builtins, pathNot: '^(node:)?(crypto|zlib)$' },
    ),

    rule(
      'rpc-knows-engine-and-wire',
      'The rpc layer imports the core, the engine, proto and grpc, never a store or the daemon.',
      rpc,
      allBut('^server/(core|engine|rpc)/', '^proto/', npm('@grpc/grpc-js', 'koffi')),
    ),
    rule(
      'credentials-in-one-file',
      'Of the rpc layer only peer-credentials.ts calls the C library.',
      { ...rpc, pathNot: '^server/rpc/peer-credentials\\.ts$' },
      { path: npm('koffi') },
    ),
    rule(
      'observability-looks-on',
      'Observability sees the core, the engine and rpc through their interfaces, never a store; nobody but the daemon knows it.',
      observability,
      allBut(
        '^server/(core|engine|rpc|observability)/',
        '^server/(config|log|version)\\.ts$',
        npm('prom-client', '@opentelemetry/api'),
      ),
    ),
    rule(
      'observed-from-outside',
      'What is observed does not know by whom.',
      { path: '^server/(core|store|engine|rpc)/' },
      { path: '^server/observability/' },
    ),
    rule(
      'prom-client-in-one-file',
      'Only observability/exposition.ts knows prom-client: it is loaded only where metrics are served.',
      { path: '^(server|client|proto)/', pathNot: '^server/observability/exposition\\.ts$' },
      { path: npm('prom-client') },
    ),
    rule(
      'opentelemetry-in-one-file',
      "Only observability/tracing.ts knows OpenTelemetry's API: it is loaded only where calls are traced.",
      { path: '^(server|client|proto)/', pathNot: '^server/observability/tracing\\.ts$' },
      { path: npm('@opentelemetry/api') },
    ),
    rule(
      'signals-come-first',
      'main.ts loads nothing before it handles signals: types and start.ts, which it imports when it does.',
      { path: '^server/main\\.ts$' },
      { pathNot: '^server/start\\.ts$' },
    ),
    rule(
      'start-is-loaded-late',
      'Nobody imports start.ts but as types, or when it is called.',
      { path: '^(server|test)/' },
      { path: '^server/start\\.ts$', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    ),
    rule('server-is-no-client', 'The server does not need the client.', { path: '^server/' }, { path: '^client/' }),
    rule(
      'proto-stands-alone',
      'The definitions import the loader and grpc.',
      { path: '^proto/' },
      allBut('^proto/', npm('@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs')),
    ),
    rule(
      'clients-start-fast',
      "The definitions that a client loads do without proto-loader, which is the daemon's.",
      { path: '^(client|proto/light\\.ts)' },
      { path: ['^proto/load\\.ts$', npm('@grpc/proto-loader')] },
    ),

    rule(
      'sdk-knows-the-wire',
      'The SDK imports proto and grpc-js, never the server, the CLI or the examples.',
      sdk,
      allBut('^client/[^/]+\\.ts$', '^proto/', npm('@grpc/grpc-js')),
    ),
    rule('sdk-has-no-io', 'The SDK reaches the world through grpc-js.', sdk, {
      ...builtins,
      pathNot: '^(node:)?events$',
    }),
    rule(
      'cli-proves-the-sdk',
      'The CLI imports client/index.ts, which proves that the SDK is enough; and types.ts and limits.ts, which load nothing.',
      { path: '^client/cli/', pathNot: '\\.mjs$' },
      allBut('^client/cli/', '^client/(index|limits|types)\\.ts$', npm('commander'), npm('yaml')),
    ),
    rule(
      'examples-stand-alone',
      'An example imports client/index.ts and nothing else of ours: users copy one file.',
      { path: '^client/examples/', pathNot: '^client/examples/(run\\.ts$|story/)' },
      allBut('^client/index\\.ts$'),
    ),
    rule(
      'stories-know-the-sdk',
      'Storytellers import client/index.ts and each other; their actors are programs, not modules.',
      { path: '^client/examples/(run\\.ts$|story/)' },
      allBut('^client/index\\.ts$', '^client/examples/story/'),
    ),

    rule('tests-are-leaves', 'Only tests import tests.', { pathNot: '^test/' }, { path: '^test/' }),
    rule('no-cycles', 'Of two files one comes first.', { pathNot: '^proto/gen/' }, { circular: true }),
    rule(
      'no-orphans',
      'A file without any arrow is dead, unless a command starts from it.',
      { orphan: true, pathNot: ['^server/main\\.ts$', '^client/cli/main\\.ts$', '^proto/gen/', '^test/', '\\.mjs$'] },
      {},
    ),
    rule('resolvable', 'What is imported exists.', {}, { couldNotResolve: true }),
    rule(
      'runtime-dependencies-are-declared',
      'The product runs with the runtime dependencies alone.',
      { path: '^(server|client|proto)/' },
      { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    ),
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^proto/gen/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    // Imports of types are arrows too.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
