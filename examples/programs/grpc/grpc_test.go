package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What main does.
func TestRun(t *testing.T) { rig.Prints(t, run, "a call: hello\na stream: hello\n") }

// Calls and streams, several at once on one connection.
func TestCalls(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		ln := r.Listen()
		server := grpc.NewServer()
		pb.RegisterTestServiceServer(server, service{})
		ended := make(chan error)
		go func() { ended <- server.Serve(ln) }()
		conn, err := connect(r.Loops[1], ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() { unary(ctx, t, pb.NewTestServiceClient(conn), i) })
			clients.Go(func() { stream(ctx, t, pb.NewTestServiceClient(conn), i) })
		}
		clients.Wait()
		conn.Close()
		server.GracefulStop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func payload(i, j int) *pb.Payload { return &pb.Payload{Body: make([]byte, 1+i*10000+j*1000)} }

func unary(ctx context.Context, t *testing.T, c pb.TestServiceClient, i int) {
	for j := range 20 {
		want := payload(i, j)
		got, err := c.UnaryCall(ctx, &pb.SimpleRequest{Payload: want})
		if err != nil || len(got.Payload.Body) != len(want.Body) {
			t.Errorf("UnaryCall: %v", err)
			return
		}
	}
}

func stream(ctx context.Context, t *testing.T, c pb.TestServiceClient, i int) {
	err := func() error {
		s, err := c.FullDuplexCall(ctx)
		if err != nil {
			return err
		}
		for j := range 20 {
			want := payload(i, j)
			if err := s.Send(&pb.StreamingOutputCallRequest{Payload: want}); err != nil {
				return err
			}
			if got, err := s.Recv(); err != nil || len(got.Payload.Body) != len(want.Body) {
				return fmt.Errorf("Recv: %w", err)
			}
		}
		s.CloseSend()
		if _, err := s.Recv(); err != io.EOF {
			return fmt.Errorf("at the end: %w", err)
		}
		return nil
	}()
	if err != nil {
		t.Errorf("FullDuplexCall: %v", err)
	}
}
