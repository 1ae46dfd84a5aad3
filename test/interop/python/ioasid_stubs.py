"""How a refusal is read, with the stubs that the README makes: PYTHONPATH says where they are."""

from google.rpc import error_details_pb2, status_pb2


def refusal(error):
    """(reason, facts) of a grpc.RpcError that ioasidd answered with."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info.reason, dict(info.metadata)
    return None, {}
