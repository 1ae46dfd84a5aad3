"""Keeps the guest-to-host table of one VM from the stream alone, over restarts of the daemon. consumer.py ADDRESS TOKEN"""

import sys
import time

import ioasid_stubs  # noqa: F401 (finds the stubs)
import grpc
from ioasid.v1 import notification_service_pb2 as v1
from ioasid.v1 import notification_service_pb2_grpc

address, token = sys.argv[1], sys.argv[2]
channel = grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 500)])
notifications = notification_service_pb2_grpc.NotificationServiceStub(channel)
table = {}
cursor, space_id = None, ""


def apply(notification):
    if notification.type == v1.Notification.BIND:
        table[notification.spid] = notification.ioasid
    elif notification.type == v1.Notification.UNBIND:
        del table[notification.spid]
    else:
        return
    print("table", sorted(table.items()), flush=True)


while True:
    if cursor is None:
        table.clear()
        start = {"snapshot": True}
    else:
        start = {"after_revision": cursor}
    request = v1.SubscribeRequest(tokens=[token], space_id=space_id, heartbeat_ms=500, **start)
    try:
        for message in notifications.Subscribe(request, wait_for_ready=True):
            space_id = message.space_id
            if message.kind == v1.SubscribeResponse.HEADER:
                previous = message.revision
                if cursor is not None:
                    print("resumed", cursor, flush=True)
                continue
            assert message.prev_revision == previous, "a message is missing"
            previous = message.revision
            for notification in message.notifications:
                apply(notification)
            in_snapshot = any(notification.snapshot for notification in message.notifications)
            if not message.more and not in_snapshot:
                cursor = message.revision
            if message.kind == v1.SubscribeResponse.SNAPSHOT_END:
                print("ready", message.revision, flush=True)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.OUT_OF_RANGE:
            cursor, space_id = None, ""
        elif error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            raise
        time.sleep(0.1)
