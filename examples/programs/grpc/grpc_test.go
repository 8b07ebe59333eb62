package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
	"ringo/sock"
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
		go func() { ended <- server.Serve(listener{ln}) }()
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

// An idle connection has no buffers that wait with it where gRPC can ask for ReadOnReady.
func TestIdle(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		plain := idle(t, driver, func(ln *sock.Listener) net.Listener { return ln })
		least := idle(t, driver, func(ln *sock.Listener) net.Listener { return listener{ln} })
		t.Logf("an idle connection has %d KiB, and %d with ReadOnReady", plain>>10, least>>10)
		if least > plain-16<<10 {
			t.Errorf("an idle connection has %d bytes, and %d with ReadOnReady", plain, least)
		}
	})
}

// idle is what a connection costs a server to which nothing is said but hello.
func idle(t *testing.T, driver string, wrap func(*sock.Listener) net.Listener) int64 {
	const conns = 200
	r := rig.Loops(t, driver, 1)
	ln := r.Listen()
	server := grpc.NewServer()
	go server.Serve(wrap(ln))
	defer server.Stop()
	hello := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, 4, 0, 0, 0, 0, 0) // no settings
	before := used()
	for range conns {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(hello); err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(rig.Patience))
		for got, p := 0, make([]byte, 64); got < 9+9; { // settings, and the word for ours
			n, err := c.Read(p)
			if got += n; err != nil {
				t.Fatal(err)
			}
		}
	}
	return (used() - before) / conns
}

// used is the memory of heap and stacks.
func used() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
