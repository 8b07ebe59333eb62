// Command calls measures how many calls a kitex server answers for each second of CPU time, on each transport. The
// service is that of package internal/echo, with framed Thrift, and each connection has one call under way. The
// clients send requests that were encoded before, and share no processor with the servers.
//
//	go build -o calls ./internal/cmd/calls && taskset -c 1 ./calls -server 0
//
// Rounds are interleaved: each measures all transports, one after the other. The table has medians, with intervals.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloudwego/gopkg/protocol/thrift"
	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/cloudwego/kitex/pkg/remote"
	"github.com/cloudwego/kitex/pkg/remote/trans/gonet"
	"github.com/cloudwego/kitex/pkg/remote/trans/netpoll"
	"github.com/cloudwego/kitex/pkg/streaming"
	"github.com/cloudwego/kitex/server"

	"ringo"
	ringokitex "ringo/adapters/kitex"
	"ringo/adapters/kitex/internal/echo"
	"ringo/internal/measure"
	"ringo/sock"
)

// transports are compared with the first.
var transports = []string{"netpoll", "gonet", "ringo", "ringo-tasks", "ringo-epoll", "ringo-epoll-tasks"}

var profile = flag.String("profile", "", "`file` of the server's profile, with one transport and one round")

func main() {
	serve := flag.String("serve", "", "be a server on a `transport`, until stdin ends")
	cpus := flag.String("server", "0", "`processors` of the servers, as taskset wants them")
	conns := flag.Int("conns", 64, "connections")
	size := flag.Int("size", 100, "bytes of text in a call")
	rounds := flag.Int("rounds", 7, "rounds")
	lasts := flag.Duration("lasts", 2*time.Second, "how long a round asks a transport")
	only := flag.String("only", strings.Join(transports, ","), "`transports` to compare")
	flag.Parse()
	klog.SetLevel(klog.LevelFatal) // gonet logs each reset
	if *serve != "" {
		check(serveOn(*serve))
		return
	}
	names := strings.Split(*only, ",")
	perSecond := map[string][]float64{}
	for range *rounds {
		for _, name := range names {
			n, err := round(name, *cpus, *conns, *size, *lasts)
			check(err)
			perSecond[name] = append(perSecond[name], n)
		}
	}
	fmt.Printf("%d connections, %d bytes, %d rounds of %v; calls for a second of the server's processor\n", *conns,
		*size, *rounds, *lasts)
	for _, name := range names {
		ratios := make([]float64, *rounds)
		for i := range ratios {
			ratios[i] = perSecond[name][i] / perSecond[names[0]][i]
		}
		calls := measure.Estimate(perSecond[name])
		fmt.Printf("%-18s %8.0f   x %.2f of %s, %v\n", name, calls.Median, measure.Estimate(ratios).Median, names[0],
			measure.Estimate(ratios))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

// transport returns the factory of a transport.
func transport(name string) remote.TransServerFactory {
	cfg := ringokitex.Config{Run: &ringo.Config{Driver: "uring"}, Tasks: strings.HasSuffix(name, "-tasks")}
	switch strings.TrimSuffix(name, "-tasks") {
	case "netpoll":
		return netpoll.NewTransServerFactory()
	case "gonet":
		return gonet.NewTransServerFactory()
	case "ringo":
	case "ringo-epoll":
		cfg.Run.Driver = "epoll"
	default:
		check(fmt.Errorf("there is no transport %q", name))
	}
	return ringokitex.NewTransServerFactory(&cfg)
}

// serveOn is the server process. It prints its address.
func serveOn(name string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	exit := make(chan error)
	opts := []server.Option{server.WithListener(ln), server.WithTransServerFactory(transport(name)),
		server.WithExitSignal(func() <-chan error { return exit })}
	if name == "gonet" {
		opts = append(opts, server.WithTransHandlerFactory(gonet.NewSvrTransHandlerFactory()))
	}
	srv := server.NewServer(opts...)
	if err := srv.RegisterService(echo.Info(false), new(service)); err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	if *profile != "" {
		f, err := os.Create(*profile)
		check(err)
		check(pprof.StartCPUProfile(f))
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		pprof.StopCPUProfile()
		os.Exit(0)
	}()
	return srv.Run()
}

type service struct{}

func (service) Echo(_ context.Context, text string) (string, error) { return text, nil }
func (service) Slow(_ context.Context, text string) (string, error) { return text, nil }
func (service) Note(context.Context, string) error                  { return nil }
func (service) Chat(streaming.ServerStream) error                   { return nil }

// round starts a server, and returns its calls for each second of CPU time.
func round(name, cpus string, conns, size int, lasts time.Duration) (float64, error) {
	cmd := exec.Command("taskset", "-c", cpus, os.Args[0], "-serve", name, "-profile", *profile)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer in.Close()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, err
	}
	l := &load{addr: strings.TrimSpace(addr), request: request(size)}
	l.begin(conns)
	time.Sleep(lasts / 4)
	before, err := measure.CPU(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	calls := l.calls.Load()
	time.Sleep(lasts)
	calls = l.calls.Load() - calls
	after, err := measure.CPU(cmd.Process.Pid)
	l.end()
	<-l.ended
	if failed := <-l.failed; err == nil {
		err = failed
	}
	return float64(calls) / (after - before).Seconds(), err
}

// request returns a call of Echo, with its frame.
func request(size int) []byte {
	text := &echo.Text{Text: strings.Repeat("x", size)}
	p := make([]byte, 4+thrift.Binary.MessageBeginLength("Echo")+text.BLength())
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	n := 4 + thrift.Binary.WriteMessageBegin(p[4:], "Echo", thrift.CALL, 1)
	text.FastWriteNocopy(p[n:], nil)
	return p
}

// A load is connections that call, each in a task of a loop.
type load struct {
	addr    string
	request []byte
	calls   atomic.Int64
	failed  chan error
	end     context.CancelFunc
	ended   chan struct{}
}

// begin connects, and calls until end.
func (l *load) begin(conns int) {
	ctx, end := context.WithCancel(context.Background())
	l.end, l.ended, l.failed = end, make(chan struct{}), make(chan error, conns+1)
	go func() {
		defer close(l.ended)
		l.failed <- ringo.Run(ctx, &ringo.Config{Loops: 1, Grace: -1}, func(loop *ringo.Loop) error {
			for range conns {
				loop.Go(func() {
					if err := l.run(ctx, loop); ctx.Err() == nil {
						l.failed <- err
					}
				})
			}
			return nil
		})
	}()
}

// run calls until ctx ends.
func (l *load) run(ctx context.Context, loop *ringo.Loop) error {
	c, err := sock.Dial(loop, "tcp", l.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		if _, err := c.Write(l.request); err != nil {
			return err
		}
		head, err := c.Peek(4)
		if err != nil {
			return err
		}
		n := 4 + int(binary.BigEndian.Uint32(head))
		if n < len(l.request)/2 {
			return fmt.Errorf("an answer of %d bytes to a request of %d", n, len(l.request))
		}
		if _, err := c.Discard(n); err != nil {
			return err
		}
		l.calls.Add(1)
	}
	return nil
}
