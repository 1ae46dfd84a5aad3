// Keeps the guest-to-host table of one VM from the stream alone, over restarts of the daemon. consumer ADDRESS TOKEN
#include <ioasid/v1/notification_service.grpc.pb.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "refusal.h"

namespace v1 = ioasid::v1;

namespace {

using Table = std::map<std::uint32_t, std::uint32_t>;

void apply(Table& table, const v1::Notification& notification) {
  if (notification.type() == v1::Notification::BIND) {
    table[notification.spid()] = notification.ioasid();
  } else if (notification.type() == v1::Notification::UNBIND) {
    table.erase(notification.spid());
  } else {
    return;
  }
  std::cout << "table";
  for (const auto& [spid, ioasid] : table) std::cout << " " << spid << "=" << ioasid;
  std::cout << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  const auto channel = grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), arguments);
  const auto notifications = v1::NotificationService::NewStub(channel);
  Table table;
  // Up to where everything was applied, and of which history that is.
  std::optional<std::uint64_t> cursor;
  std::string space_id;

  for (;;) {
    v1::SubscribeRequest request;
    request.add_tokens(argv[2]);
    request.set_heartbeat_ms(500);
    request.set_space_id(space_id);
    if (cursor) {
      request.set_after_revision(*cursor);
    } else {
      table.clear();
      request.set_snapshot(true);
    }
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const auto stream = notifications->Subscribe(&context, request);
    std::uint64_t previous = 0;
    v1::SubscribeResponse message;
    while (stream->Read(&message)) {
      space_id = message.space_id();
      if (message.kind() == v1::SubscribeResponse::HEADER) {
        previous = message.revision();
        if (cursor) std::cout << "resumed " << *cursor << std::endl;
        continue;
      }
      if (message.prev_revision() != previous) {
        std::cerr << "a message is missing" << std::endl;
        return 1;
      }
      previous = message.revision();
      bool in_snapshot = false;
      for (const auto& notification : message.notifications()) {
        apply(table, notification);
        in_snapshot = in_snapshot || notification.snapshot();
      }
      if (!message.more() && !in_snapshot) cursor = message.revision();
      if (message.kind() == v1::SubscribeResponse::SNAPSHOT_END) {
        std::cout << "ready " << message.revision() << std::endl;
      }
    }
    const grpc::Status status = stream->Finish();
    if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE) {
      // COMPACTED, or another history: from the present state on.
      cursor.reset();
      space_id.clear();
    } else if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
      std::cerr << status.error_message() << std::endl;
      return 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}
