// A VMM: makes the set of its VM, allocates a host PASID and binds a guest PASID to it. vmm ADDRESS TOKEN SPID
#include <ioasid/v1/ioasid_service.grpc.pb.h>
#include <ioasid/v1/set_service.grpc.pb.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "refusal.h"

namespace v1 = ioasid::v1;

namespace {

/// Runs one call with a deadline; ends the program where it fails.
template <typename Call>
void must(Call call) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const grpc::Status status = call(&context);
  if (status.ok()) return;
  std::cerr << status.error_message() << std::endl;
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string token = argv[2];
  const auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  const auto sets = v1::SetService::NewStub(channel);
  const auto ids = v1::IoasidService::NewStub(channel);

  v1::CreateSetRequest create;
  create.set_token(token);
  create.set_quota(1);
  v1::CreateSetResponse made;
  must([&](auto* context) { return sets->CreateSet(context, create, &made); });

  v1::AllocateRequest allocate;
  allocate.set_set_handle(made.set().set_handle());
  v1::AllocateResponse allocated;
  must([&](auto* context) { return ids->Allocate(context, allocate, &allocated); });

  v1::AttachSpidRequest attach;
  attach.set_set_handle(made.set().set_handle());
  attach.set_ioasid(allocated.ioasids(0));
  attach.set_spid(std::stoul(argv[3]));
  v1::AttachSpidResponse bound;
  must([&](auto* context) { return ids->AttachSpid(context, attach, &bound); });
  std::cout << "bound " << attach.spid() << " " << attach.ioasid() << " " << bound.revision() << std::endl;

  grpc::ClientContext context;
  const grpc::Status status = ids->Allocate(&context, allocate, &allocated);
  const auto info = refusal(status);
  if (!info) return 1;
  std::cout << "refused " << status.error_code() << " " << info->reason() << " limit=" << info->metadata().at("limit")
            << " used=" << info->metadata().at("used") << std::endl;
  return 0;
}
