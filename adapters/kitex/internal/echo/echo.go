// Package echo is a kitex service for tests and benchmarks. It is what kitex's generator would write for
//
//	service Echo {
//		string Echo(1: string text)
//		string Slow(1: string text)
//		oneway void Note(1: string text)
//		string Chat(1: string text) (streaming.mode="bidirectional")
//	}
package echo

import (
	"context"

	"github.com/cloudwego/gopkg/protocol/thrift"
	"github.com/cloudwego/kitex/pkg/serviceinfo"
	"github.com/cloudwego/kitex/pkg/streaming"
)

// Service is what a server implements.
type Service interface {
	Echo(ctx context.Context, text string) (string, error)
	Slow(ctx context.Context, text string) (string, error)
	Note(ctx context.Context, text string) error
	// Chat answers each Text of the stream until its end.
	Chat(stream streaming.ServerStream) error
}

// Text is a struct with a string: the arguments of all methods, and the messages of streams.
type Text struct{ Text string }

// Result is a method's result: the string is field 0.
type Result struct{ Text string }

func (t *Text) BLength() int   { return length(t.Text) }
func (r *Result) BLength() int { return length(r.Text) }

func (t *Text) FastWriteNocopy(p []byte, w thrift.NocopyWriter) int { return write(p, w, 1, t.Text) }
func (r *Result) FastWriteNocopy(p []byte, w thrift.NocopyWriter) int {
	return write(p, w, 0, r.Text)
}

func (t *Text) FastRead(p []byte) (int, error)   { return read(p, 1, &t.Text) }
func (r *Result) FastRead(p []byte) (int, error) { return read(p, 0, &r.Text) }

func length(s string) int {
	return thrift.Binary.FieldBeginLength() + thrift.Binary.StringLength(s) + thrift.Binary.FieldStopLength()
}

func write(p []byte, w thrift.NocopyWriter, field int16, s string) int {
	n := thrift.Binary.WriteFieldBegin(p, thrift.STRING, field)
	n += thrift.Binary.WriteStringNocopy(p[n:], w, s)
	return n + thrift.Binary.WriteFieldStop(p[n:])
}

func read(p []byte, field int16, s *string) (n int, err error) {
	for {
		kind, id, l, err := thrift.Binary.ReadFieldBegin(p[n:])
		n += l
		if err != nil || kind == thrift.STOP {
			return n, err
		}
		if id == field && kind == thrift.STRING {
			*s, l, err = thrift.Binary.ReadString(p[n:])
		} else {
			l, err = thrift.Binary.Skip(p[n:], kind)
		}
		n += l
		if err != nil {
			return n, err
		}
	}
}

// Info describes the service, with its stream Chat if streams is true.
func Info(streams bool) *serviceinfo.ServiceInfo {
	methods := map[string]serviceinfo.MethodInfo{
		"Echo": unary(Service.Echo),
		"Slow": unary(Service.Slow),
		"Note": serviceinfo.NewMethodInfo(func(ctx context.Context, s, args, _ any) error {
			return s.(Service).Note(ctx, args.(*Text).Text)
		}, newText, nil, true),
	}
	extra := map[string]any{"PackageName": "echo"}
	if streams {
		extra["streaming"] = true
		methods["Chat"] = serviceinfo.NewMethodInfo(func(_ context.Context, s, args, _ any) error {
			return s.(Service).Chat(args.(*streaming.Args).ServerStream)
		}, newText, newResult, false, serviceinfo.WithStreamingMode(serviceinfo.StreamingBidirectional))
	}
	return &serviceinfo.ServiceInfo{ServiceName: "Echo", HandlerType: (*Service)(nil), Methods: methods,
		PayloadCodec: serviceinfo.Thrift, KiteXGenVersion: "v0.16.3", Extra: extra}
}

func newText() any   { return new(Text) }
func newResult() any { return new(Result) }

func unary(method func(s Service, ctx context.Context, text string) (string, error)) serviceinfo.MethodInfo {
	return serviceinfo.NewMethodInfo(func(ctx context.Context, s, args, result any) (err error) {
		result.(*Result).Text, err = method(s.(Service), ctx, args.(*Text).Text)
		return err
	}, newText, newResult, false)
}
