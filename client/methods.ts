import { serviceCalls } from '../proto/light.ts'

/** The services that the SDK calls. */
export const setService = serviceCalls('ioasid.v1.SetService')
export const ioasidService = serviceCalls('ioasid.v1.IoasidService')
export const leaseService = serviceCalls('ioasid.v1.LeaseService')
export const notificationService = serviceCalls('ioasid.v1.NotificationService')
export const adminService = serviceCalls('ioasid.v1.AdminService')
export const healthService = serviceCalls('grpc.health.v1.Health')
