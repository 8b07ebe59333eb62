//go:build !unix

package patience

import "time"

// processorTime is unknown on this system: waits end only by Max.
func processorTime() time.Duration { return 0 }
