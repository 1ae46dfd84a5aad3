/** The SDK of ioasidd. What is not listed here is not public. */

export type { Allocated, BatchResult, Changed, Found, Freed, FreedAll, SetChanged } from './answers.ts'
export type { Client } from './api.ts'
export type { CallOptions } from './call.ts'
export { type ConnectOptions, connect } from './client.ts'
export { type FieldViolation, IoasidError, type Reason, type StatusName } from './errors.ts'
export type {
  AdjustQuotaRequest,
  AllocateRequest,
  AttachDataRequest,
  AttachSpidRequest,
  BatchItem,
  CreateSetRequest,
  DeleteSetRequest,
  DetachDataRequest,
  DetachSpidRequest,
  FindBySpidRequest,
  FreeAllRequest,
  FreeRequest,
  GetIoasidRequest,
  ListIoasidsRequest,
  ListSetsRequest,
  SetRef,
} from './requests.ts'
export type { RetrySettings } from './retry.ts'
export type {
  Cursor,
  Interruption,
  SubscribeOptions,
  Subscription,
  SubscriptionItem,
} from './subscription-types.ts'
export {
  type DaemonStatus,
  type FreeResult,
  type Holder,
  type IoasidInfo,
  type IoasidNotification,
  type IoasidSet,
  NOTIFICATION_TYPES,
  type NotificationType,
} from './types.ts'
