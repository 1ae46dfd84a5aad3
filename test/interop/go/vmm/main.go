// A VMM: makes the set of its VM, allocates a host PASID and binds a guest PASID to it. vmm ADDRESS TOKEN SPID
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	v1 "example.com/ioasid/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

func main() {
	if len(os.Args) != 4 {
		os.Exit(2)
	}
	spid, err := strconv.ParseUint(os.Args[3], 10, 32)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(os.Args[1], os.Args[2], uint32(spid)); err != nil {
		log.Fatal(err)
	}
}

func run(address, token string, spid uint32) error {
	conn, err := grpc.Dial(address, grpc.WithInsecure(), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		return err
	}
	defer conn.Close()
	sets := v1.NewSetServiceClient(conn)
	ids := v1.NewIoasidServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	made, err := sets.CreateSet(ctx, &v1.CreateSetRequest{Token: token, Quota: 1})
	if err != nil {
		return err
	}
	handle := made.Set.SetHandle

	allocated, err := ids.Allocate(ctx, &v1.AllocateRequest{SetHandle: handle})
	if err != nil {
		return err
	}
	ioasid := allocated.Ioasids[0]

	bound, err := ids.AttachSpid(ctx, &v1.AttachSpidRequest{SetHandle: handle, Ioasid: ioasid, Spid: spid})
	if err != nil {
		return err
	}
	fmt.Println("bound", spid, ioasid, bound.Revision)

	_, err = ids.Allocate(ctx, &v1.AllocateRequest{SetHandle: handle})
	info := refusal(err)
	if info == nil {
		return fmt.Errorf("not refused with a reason: %v", err)
	}
	facts := info.Metadata
	fmt.Printf("refused %d %s limit=%s used=%s\n", status.Code(err), info.Reason, facts["limit"], facts["used"])
	return nil
}

// refusal reads the reason and its facts from the status's details.
// It is nil where there is no reason, as in the error of a daemon that cannot be reached.
func refusal(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}
