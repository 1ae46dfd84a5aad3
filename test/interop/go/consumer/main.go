// Keeps the guest-to-host table of one VM from the stream alone, over restarts of the daemon. consumer ADDRESS TOKEN
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sort"
	"time"

	v1 "example.com/ioasid/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// consumer is what outlives a stream.
type consumer struct {
	client v1.NotificationServiceClient
	token  string
	table  map[uint32]uint32
	// Up to where everything was applied, and of which history that is. nil: from the present state on.
	cursor  *uint64
	spaceID string
}

func main() {
	if len(os.Args) != 3 {
		os.Exit(2)
	}
	params := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}
	params.Backoff.BaseDelay, params.Backoff.MaxDelay = 100*time.Millisecond, 500*time.Millisecond
	conn, err := grpc.Dial(os.Args[1], grpc.WithInsecure(), grpc.WithConnectParams(params))
	if err != nil {
		log.Fatal(err)
	}
	c := consumer{client: v1.NewNotificationServiceClient(conn), token: os.Args[2]}
	for {
		err := c.follow(context.Background())
		switch status.Code(err) {
		case codes.Unavailable:
			// The daemon is away, or ended the stream: resume.
		case codes.OutOfRange:
			// COMPACTED, or another history: from the present state on.
			c.cursor, c.spaceID = nil, ""
		default:
			log.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// follow reads one stream until it ends; the error says why.
func (c *consumer) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &v1.SubscribeRequest{Tokens: []string{c.token}, HeartbeatMs: proto.Uint32(500), SpaceId: c.spaceID}
	if c.cursor == nil {
		c.table = map[uint32]uint32{}
		request.Start = &v1.SubscribeRequest_Snapshot{Snapshot: true}
	} else {
		request.Start = &v1.SubscribeRequest_AfterRevision{AfterRevision: *c.cursor}
	}
	stream, err := c.client.Subscribe(ctx, request, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	var previous uint64
	for {
		message, err := stream.Recv()
		if err != nil {
			return err
		}
		c.spaceID = message.SpaceId
		if message.Kind == v1.SubscribeResponse_HEADER {
			previous = message.Revision
			if c.cursor != nil {
				fmt.Println("resumed", *c.cursor)
			}
			continue
		}
		if message.PrevRevision != previous {
			return errors.New("a message is missing")
		}
		previous = message.Revision
		inSnapshot := false
		for _, notification := range message.Notifications {
			c.apply(notification)
			inSnapshot = inSnapshot || notification.Snapshot
		}
		if !message.More && !inSnapshot {
			c.cursor = proto.Uint64(message.Revision)
		}
		if message.Kind == v1.SubscribeResponse_SNAPSHOT_END {
			fmt.Println("ready", message.Revision)
		}
	}
}

func (c *consumer) apply(notification *v1.Notification) {
	switch notification.Type {
	case v1.Notification_BIND:
		c.table[notification.GetSpid()] = notification.GetIoasid()
	case v1.Notification_UNBIND:
		delete(c.table, notification.GetSpid())
	default:
		return
	}
	spids := make([]uint32, 0, len(c.table))
	for spid := range c.table {
		spids = append(spids, spid)
	}
	sort.Slice(spids, func(i, j int) bool { return spids[i] < spids[j] })
	fmt.Print("table")
	for _, spid := range spids {
		fmt.Printf(" %d=%d", spid, c.table[spid])
	}
	fmt.Println()
}
