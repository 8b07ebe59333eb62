// GRPC serves and makes calls by gRPC-Go. gRPC stays on goroutines; its listener and its connections are Ringo's.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"ringo"
	"ringo/sock"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run makes a listener on a loop. Offload runs gRPC on a goroutine, while the task parks and the loop works for both.
func run(out io.Writer) error {
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return l.Offload(func(ctx context.Context) error {
			server := grpc.NewServer()
			pb.RegisterTestServiceServer(server, service{})
			go server.Serve(listener{ln})
			defer server.GracefulStop()
			conn, err := connect(l, ln.Addr().String())
			if err != nil {
				return err
			}
			defer conn.Close()
			return call(ctx, pb.NewTestServiceClient(conn), out)
		})
	})
}

func call(ctx context.Context, c pb.TestServiceClient, out io.Writer) error {
	hello := &pb.Payload{Body: []byte("hello")}
	answer, err := c.UnaryCall(ctx, &pb.SimpleRequest{Payload: hello})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a call: %s\n", answer.Payload.Body)
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.StreamingOutputCallRequest{Payload: hello}); err != nil {
		return err
	}
	piece, err := stream.Recv()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a stream: %s\n", piece.Payload.Body)
	return stream.CloseSend()
}

// service returns payloads as they came.
type service struct {
	pb.UnimplementedTestServiceServer
}

func (service) UnaryCall(_ context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{Payload: r.Payload}, nil
}

func (service) FullDuplexCall(s pb.TestService_FullDuplexCallServer) error {
	for {
		r, err := s.Recv()
		if err == nil {
			err = s.Send(&pb.StreamingOutputCallResponse{Payload: r.Payload})
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
