package grpc

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"ringo/internal/testmain"
	"ringo/programs/internal/rig"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// service gives payloads back as they came.
type service struct {
	pb.UnimplementedTestServiceServer
}

func (service) UnaryCall(_ context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{Payload: r.Payload}, nil
}

func (service) FullDuplexCall(s pb.TestService_FullDuplexCallServer) error {
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.Send(&pb.StreamingOutputCallResponse{Payload: r.Payload})
		}
		if err != nil {
			return err
		}
	}
}

// Calls and streams, several at once on one connection.
func TestCalls(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		ln := r.Listen()
		server := grpc.NewServer()
		pb.RegisterTestServiceServer(server, service{})
		ended := make(chan error)
		go func() { ended <- server.Serve(ln) }()
		dial := func(ctx context.Context, addr string) (net.Conn, error) { return r.DialContext(ctx, "tcp", addr) }
		conn, err := grpc.NewClient("passthrough:///"+ln.Addr().String(), grpc.WithContextDialer(dial),
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() { call(ctx, t, pb.NewTestServiceClient(conn), i) })
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

func call(ctx context.Context, t *testing.T, c pb.TestServiceClient, i int) {
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
