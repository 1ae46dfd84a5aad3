// How a refusal of ioasidd is read: the reason and its facts, from the status's details.
#pragma once

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>

#include <optional>

/// Nothing: the status carries no reason, as that of a daemon that cannot be reached.
inline std::optional<google::rpc::ErrorInfo> refusal(const grpc::Status& status) {
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return std::nullopt;
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info)) return info;
  }
  return std::nullopt;
}
