/** The SDK of ioasidd. What is not listed here is not public. */

export type { AdminApi, Compacted, ForceDeleteSetRequest, ForceRevokeLeaseRequest } from './admin-api.ts'
export type {
  Acquired,
  Allocated,
  BatchResult,
  Changed,
  Found,
  Freed,
  FreedAll,
  LeaseChanged,
  Released,
  SetChanged,
} from './answers.ts'
export type { Client } from './api.ts'
export type { CallOptions, FreeOptions } from './call.ts'
export { type ConnectOptions, connect } from './client.ts'
export { type FieldViolation, IoasidError, type Reason, type StatusName } from './errors.ts'
export type { Binding, Life, Moment } from './history-types.ts'
export type { LeaseApi } from './lease-api.ts'
export type {
  AcknowledgeRequest,
  GrantLeaseRequest,
  Hold,
  Lease,
  LeaseInfo,
  LeaseRequest,
  ListLeasesRequest,
  OpenLeaseOptions,
  Priority,
  RevokeLeaseRequest,
} from './lease-types.ts'
export type {
  BindFacts,
  OpenPasidTableOptions,
  PasidEntry,
  PasidTable,
  TableSet,
  UnbindFacts,
} from './pasid-table-types.ts'
export type {
  AcquireRequest,
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
  ReleaseRequest,
  SetRef,
} from './requests.ts'
export type { RetrySettings } from './retry.ts'
export type {
  Cursor,
  HoldOptions,
  Interruption,
  SubscribeOptions,
  Subscription,
  SubscriptionItem,
} from './subscription-types.ts'
export type { TlsOptions } from './tls.ts'
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
