package ringokitex_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2"
	"github.com/cloudwego/kitex/pkg/remote/trans/ttstream"
	"github.com/cloudwego/kitex/server"
	"github.com/cloudwego/kitex/transport"

	"ringo"
	"ringo/adapters/kitex/internal/echo"
	"ringo/internal/test/patience"
)

// streamed are the protocols of streams.
var streamed = map[string]transport.Protocol{
	"grpc": transport.GRPCStreaming, "ttheader": transport.TTHeaderStreaming,
}

// soon is for servers whose clients keep connections of streams by TTHeader: they end when that time is over, as with
// netpoll.
var soon = server.WithExitWaitTime(50 * time.Millisecond)

// chat sends n messages on a stream and wants each back.
func chat(c caller, n int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st, err := c.Client.(client.Streaming).StreamX(ctx, "Chat")
	if err != nil {
		return err
	}
	for i := range n {
		out, in := &echo.Text{Text: fmt.Sprint(i, strings.Repeat("s", i*i*10))}, new(echo.Text)
		if err := st.SendMsg(ctx, out); err != nil {
			return fmt.Errorf("send %d: %w", i, err)
		}
		if err := st.RecvMsg(ctx, in); err != nil {
			return fmt.Errorf("receive %d: %w", i, err)
		}
		if in.Text != out.Text {
			return fmt.Errorf("message %d: %d bytes came back of %d", i, len(in.Text), len(out.Text))
		}
	}
	if err := st.CloseSend(ctx); err != nil {
		return err
	}
	if err := st.RecvMsg(ctx, new(echo.Text)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("at the stream's end: %w", err)
	}
	return nil
}

// Streams of both protocols work, many on few connections, beside messages of Thrift.
func TestStreams(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		w := watch(cfg, way)
		addr, stop := started(new(service), server.WithTransServerFactory(w), soon)
		defer stop()
		for name, of := range streamed {
			t.Run(name, func(t *testing.T) {
				c := called(addr, client.WithTransportProtocol(transport.TTHeader|of))
				defer c.close()
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						if err := chat(c, 50); err != nil {
							t.Error(err)
						}
						if err := wantEcho(c, "beside"); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
			})
		}
	})
}

// Calls by gRPC have their answers.
func TestUnaryGRPC(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		c := callFor(t, serve(t, cfg, way, new(service)), client.WithTransportProtocol(transport.GRPC))
		for _, n := range []int{0, 100, 100_000, 1 << 20} {
			if err := wantEcho(c, strings.Repeat("g", n)); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	})
}

// Servers that have nothing but streams work, too.
func TestStreamsAlone(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		for name, opt := range map[string]server.Option{
			"grpc":     server.WithTransHandlerFactory(nphttp2.NewSvrTransHandlerFactory()),
			"ttheader": server.WithTransHandlerFactory(ttstream.NewSvrTransHandlerFactory()),
		} {
			t.Run(name, func(t *testing.T) {
				addr, stop := started(new(service), onRingo(cfg, way)[0], opt, soon)
				defer stop()
				c := called(addr, client.WithTransportProtocol(streamed[name]))
				defer c.close()
				if err := chat(c, 20); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// Streams whose peer resets end, with their methods.
func TestStreamsReset(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		for name, of := range streamed {
			t.Run(name, func(t *testing.T) {
				w := watch(cfg, way)
				addr, stop := started(new(service), server.WithTransServerFactory(w), soon)
				defer stop()
				between, cut := cutter(t, addr)
				c := called(between, client.WithTransportProtocol(of))
				defer c.close()
				ctx := patience.Context(t)
				st, err := c.Client.(client.Streaming).StreamX(ctx, "Chat")
				if err != nil {
					t.Fatal(err)
				}
				if err := st.SendMsg(ctx, &echo.Text{Text: "text"}); err != nil {
					t.Fatal(err)
				}
				if err := st.RecvMsg(ctx, new(echo.Text)); err != nil {
					t.Fatal(err)
				}
				cut()
				if err := st.RecvMsg(ctx, new(echo.Text)); err == nil {
					t.Error("a stream went on that was cut")
				}
				w.none(t)
			})
		}
	})
}

// cutter is a way to addr that can be cut off: both sides get a reset.
func cutter(t *testing.T, addr string) (at string, cut func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []*net.TCPConn
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range all {
			c.SetLinger(0)
			c.Close()
		}
	}
	t.Cleanup(func() { ln.Close(); cut() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			all = append(all, in.(*net.TCPConn), out.(*net.TCPConn))
			mu.Unlock()
			go io.Copy(in, out)
			go io.Copy(out, in)
		}
	}()
	return ln.Addr().String(), cut
}
