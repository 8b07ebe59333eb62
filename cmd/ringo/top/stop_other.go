//go:build !unix

package top

import (
	"context"
	"os"
)

func notifyHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func notifyStops(chan<- os.Signal) {}

func stopProcess() {}
