"""The stubs that test/interop/python.test.ts generates from proto/ with Debian's protoc, and how a refusal is read."""

import os
import sys

sys.path.insert(0, os.environ["IOASID_STUBS"])

from google.rpc import error_details_pb2, status_pb2  # noqa: E402


def refusal(error):
    """(reason, facts) of a grpc.RpcError that ioasidd answered with."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info.reason, dict(info.metadata)
    return None, {}
