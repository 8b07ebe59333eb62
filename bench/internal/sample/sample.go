// Package sample is the record of one measurement: load writes it and bench reads it, as a line of JSON.
package sample

// Sample is one server under one load for one measured window. Fields that a mode does not measure are zero.
type Sample struct {
	Round  int    `json:"round"`
	Cell   string `json:"cell"`   // the load, as bench run names it: 50x64
	Server string `json:"server"` // the server, as bench run names it
	Failed string `json:"failed,omitempty"`

	Mode    string  `json:"mode,omitempty"`
	Conns   int     `json:"conns,omitempty"`
	Size    int     `json:"size,omitempty"`
	Depth   int     `json:"depth,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // the measured window's real length

	Requests   uint64  `json:"requests"`     // completed in the window; connections in mode churn
	AllTime    uint64  `json:"all_requests"` // completed in the whole run, warm-up and tail included
	PerSecond  float64 `json:"req_s"`
	CPUMicros  float64 `json:"cpu_us"`      // server CPU per request, µs; 0 without -pid
	ServerBusy float64 `json:"server_core"` // share of one core that the server used
	LoadBusy   float64 `json:"load_core"`   // share of one core that the load generator used
	OtherBusy  float64 `json:"other_core"`  // the same for all else on the machine: a large share spoils the sample
	P50        float64 `json:"p50_us"`      // latency, µs
	P99        float64 `json:"p99_us"`      //
	P999       float64 `json:"p999_us"`     //
	Max        float64 `json:"max_us"`      //

	Errors     int `json:"errors"`     // connections that broke, and replies that never came
	Mismatches int `json:"mismatches"` // connections that got a wrong byte
	Starved    int `json:"starved"`    // connections without one completed request in the window

	RSSBefore  int64   `json:"rss_before,omitempty"` // bytes
	RSSAfter   int64   `json:"rss_after,omitempty"`  //
	RSSPerConn float64 `json:"rss_per_conn,omitempty"`

	DiskRead float64 `json:"disk_read,omitempty"` // bytes a second that the server had read from disks

	Rate    float64 `json:"rate,omitempty"`        // messages a second that were asked for, in mode paced
	LateP99 float64 `json:"late_p99_us,omitempty"` // how late the load generator itself sent them, µs

	Figures map[string]float64 `json:"figures,omitempty"` // of a program that measures itself, by unit
}
