// Package standard stands, in a copy of hertz, for its package of that name where tests say which transport they want,
// and is the default of all servers: hertz's own standard one on the control, Ringo's with "transport" for RINGO_PEERS,
// and Ringo's with handlers in tasks with "tasktransport".
package standard

import (
	"os"

	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/network/standard"

	ringohertz "ringo/adapters/hertz"
	"ringo/peers"
)

// NewTransporter makes the transport that is on trial.
func NewTransporter(o *config.Options) network.Transporter {
	how := os.Getenv("RINGO_PEERS")
	if how != "transport" && how != "tasktransport" {
		return standard.NewTransporter(o)
	}
	peers.Count()
	return (&ringohertz.Config{Tasks: how == "tasktransport"}).NewTransporter(o)
}
