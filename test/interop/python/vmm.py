"""A VMM: makes the set of its VM, allocates host PASIDs and binds guest PASIDs to them. vmm.py ADDRESS TOKEN SPID"""

import sys
import uuid

import ioasid_stubs
import grpc
from ioasid.v1 import ioasid_service_pb2, ioasid_service_pb2_grpc, set_service_pb2, set_service_pb2_grpc

address, token, spid = sys.argv[1], sys.argv[2], int(sys.argv[3])
channel = grpc.insecure_channel(address)
sets = set_service_pb2_grpc.SetServiceStub(channel)
ids = ioasid_service_pb2_grpc.IoasidServiceStub(channel)

request = set_service_pb2.CreateSetRequest(token=token, quota=1, request_id=str(uuid.uuid4()))
made = sets.CreateSet(request, wait_for_ready=True, timeout=10)
again = sets.CreateSet(request, timeout=10)
assert again == made, "the same request_id must get the same answer"
handle = made.set.set_handle

allocated = ids.Allocate(ioasid_service_pb2.AllocateRequest(set_handle=handle), timeout=10)
(ioasid,) = allocated.ioasids
bound = ids.AttachSpid(
    ioasid_service_pb2.AttachSpidRequest(set_handle=handle, ioasid=ioasid, spid=spid), timeout=10
)
print(f"bound {spid} {ioasid} {bound.revision}", flush=True)

try:
    ids.Allocate(ioasid_service_pb2.AllocateRequest(set_handle=handle), timeout=10)
except grpc.RpcError as error:
    reason, facts = ioasid_stubs.refusal(error)
    print(f"refused {error.code().name} {reason} limit={facts['limit']} used={facts['used']}", flush=True)
