import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { ServiceName } from '../../proto/names.ts'
import type { Engine } from '../engine/engine.ts'
import { createAdminService } from './admin-service.ts'
import type { BackUp } from './backup.ts'
import type { CallerOf } from './caller.ts'
import type { LeaseBounds } from './decode.ts'
import { overBytes } from './definitions.ts'
import { createIoasidService } from './ioasid-service.ts'
import { createLeaseService } from './lease-service.ts'
import type { Log } from './log.ts'
import { createNotificationService } from './notification-service.ts'
import type { CallObserver } from './observer.ts'
import { createSetService } from './set-service.ts'
import type { After } from './stream.ts'

/** Every service of the contract, for one listener: health and reflection, which are no part of it, stand beside them. */

export interface Service {
  readonly name: ServiceName
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
}

export interface ServiceOptions {
  readonly engine: Engine
  readonly log: Log
  readonly callerOf: CallerOf
  readonly version: string
  readonly after: After
  readonly soon: (callback: () => void) => void
  readonly snapshotTimeoutMs: number
  readonly leaseBounds: LeaseBounds
  readonly backUp: BackUp
  readonly observer?: CallObserver | undefined
}

export function createServices(options: ServiceOptions): readonly Service[] {
  const { engine, log, observer } = options
  const service = (name: ServiceName, implementation: UntypedServiceImplementation): Service => {
    return { name, ...overBytes(log, name, implementation, observer) }
  }
  return [
    service('ioasid.v1.SetService', createSetService(engine, options)),
    service('ioasid.v1.IoasidService', createIoasidService(engine, options)),
    service('ioasid.v1.LeaseService', createLeaseService(engine, options, options.leaseBounds)),
    service('ioasid.v1.NotificationService', createNotificationService(options)),
    service('ioasid.v1.AdminService', createAdminService(options)),
  ]
}
