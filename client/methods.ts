import { serviceDefinition } from '../proto/load.ts'

/** The services that the SDK calls. */
export const setService = serviceDefinition('ioasid.v1.SetService')
export const ioasidService = serviceDefinition('ioasid.v1.IoasidService')
export const leaseService = serviceDefinition('ioasid.v1.LeaseService')
export const notificationService = serviceDefinition('ioasid.v1.NotificationService')
export const adminService = serviceDefinition('ioasid.v1.AdminService')
export const healthService = serviceDefinition('grpc.health.v1.Health')
