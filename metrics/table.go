package metrics

import (
	"time"

	"ringo/sock"
	"ringo/stats"
)

// put passes the samples of a metric on. The labels are those that the metric has beside those of its loop, lane or
// listener.
type put struct {
	value func(v float64, labels ...string)
	times func(h *stats.Histogram, labels ...string)
}

// row is a metric, and how it is read from what has counted it.
type row[T any] struct {
	Metric
	of func(from *T, p put)
}

func count[T any](name, help string, of func(*T) uint64) row[T] {
	return row[T]{Metric{Name: name, Help: help, Kind: Counter},
		func(from *T, p put) { p.value(float64(of(from))) }}
}

func level[T any](name, help string, of func(*T) int) row[T] {
	return row[T]{Metric{Name: name, Help: help, Kind: Gauge},
		func(from *T, p put) { p.value(float64(of(from))) }}
}

func seconds(d time.Duration) float64 { return d.Seconds() }

// of puts these labels before those of each row.
func of[T any](labels []string, rows []row[T]) []row[T] {
	for i := range rows {
		rows[i].Labels = labelled(labels, rows[i].Labels...)
	}
	return rows
}

type listenerStats = sock.ListenerStats

var ofLoops = of([]string{"run", "loop"}, []row[stats.Loop]{
	{Metric{Name: "ringo_loop_info", Help: "1 for each loop that runs, with its driver.", Kind: Gauge,
		Labels: []string{"driver"}}, nil}, // Each fills in the driver
	{Metric{Name: "ringo_loop_turn_seconds", Help: "Durations of the loop's turns.", Kind: Histogram,
		Unit: "seconds", Bounds: doublings}, func(s *stats.Loop, p put) { p.times(&s.TurnTimes) }},
	{Metric{Name: "ringo_loop_longest_turn_seconds", Help: "The longest turn of the last 30 to 60 seconds.",
		Kind: Gauge, Unit: "seconds"}, func(s *stats.Loop, p put) { p.value(seconds(s.Recent)) }},
	{Metric{Name: "ringo_loop_held_seconds",
		Help: "How long the present turn of a loop that does not answer has lasted; 0 if it answers.", Kind: Gauge,
		Unit: "seconds"}, func(s *stats.Loop, p put) { p.value(seconds(s.Held)) }},
	{Metric{Name: "ringo_loop_delay_seconds",
		Help: "How long ready tasks waited to run, sampled from one in 64.", Kind: Histogram,
		Unit: "seconds", Bounds: doublings}, func(s *stats.Loop, p put) { p.times(&s.Delays) }},
	{Metric{Name: "ringo_loop_time_seconds_total",
		Help: "Time of the loop in tasks, in the kernel including sleep, and spinning.", Kind: Counter,
		Unit: "seconds", Labels: []string{"in"}}, func(s *stats.Loop, p put) {
		p.value(seconds(s.InTasks), "tasks")
		p.value(seconds(s.InKernel), "kernel")
		p.value(seconds(s.Spinning), "spinning")
	}},
	count("ringo_loop_stalls_total", "Turns longer than Config.StallLimit.",
		func(s *stats.Loop) uint64 { return s.Stalls }),
	count("ringo_loop_parks_total", "Times that a task parked.",
		func(s *stats.Loop) uint64 { return s.Parks }),
	count("ringo_loop_yields_total", "Yields: forced, of tasks whose calls never had to wait, and calls of Loop.Yield.",
		func(s *stats.Loop) uint64 { return s.Yields }),
	count("ringo_loop_mails_total", "Messages from other threads.", func(s *stats.Loop) uint64 { return s.Mails }),
	count("ringo_loop_wakes_spared_total", "Messages that needed no wake, because the loop was awake.",
		func(s *stats.Loop) uint64 { return s.WakesSpared }),
	count("ringo_loop_backoffs_total", "Times that accepting waited for descriptors or memory.",
		func(s *stats.Loop) uint64 { return s.Backoffs }),
	level("ringo_loop_tasks", "Tasks that have not finished.", func(s *stats.Loop) int { return s.Tasks }),
	level("ringo_loop_coroutines", "Coroutines: running, parked and idle.",
		func(s *stats.Loop) int { return s.Workers }),
	level("ringo_loop_timers", "Timers that are set, and some that were stopped recently.",
		func(s *stats.Loop) int { return s.Timers }),
	level("ringo_loop_leases", "Buffers that the program holds.", func(s *stats.Loop) int { return s.Leases }),
	{Metric{Name: "ringo_loop_handles", Help: "Open handles, by kind.", Kind: Gauge, Labels: []string{"kind"}},
		func(s *stats.Loop, p put) {
			for _, h := range s.Handles {
				p.value(float64(h.Open), h.Kind)
			}
		}},
	{Metric{Name: "ringo_loop_handles_opened_total", Help: "Handles opened on the loop, or moved to it, by kind.",
		Kind: Counter, Labels: []string{"kind"}}, func(s *stats.Loop, p put) {
		for _, h := range s.Handles {
			p.value(float64(h.Opened), h.Kind)
		}
	}},
	{Metric{Name: "ringo_pool_buffers", Help: "Allocated buffers, by holder: program, kernel or nobody.",
		Kind: Gauge, Labels: []string{"pool", "holder"}}, func(s *stats.Loop, p put) {
		for _, b := range s.Pools {
			p.value(float64(b.InUse), b.Pool, "program")
			p.value(float64(b.Lent), b.Pool, "kernel")
			p.value(float64(b.Made-b.InUse-b.Lent), b.Pool, "nobody")
		}
	}},
	{Metric{Name: "ringo_pool_max_buffers", Help: "Maximum number of buffers.", Kind: Gauge,
		Labels: []string{"pool"}}, func(s *stats.Loop, p put) {
		for _, b := range s.Pools {
			p.value(float64(b.Max), b.Pool)
		}
	}},
	{Metric{Name: "ringo_pool_buffer_bytes", Help: "The size of each buffer.", Kind: Gauge, Unit: "bytes",
		Labels: []string{"pool"}}, func(s *stats.Loop, p put) {
		for _, b := range s.Pools {
			p.value(float64(b.Size), b.Pool)
		}
	}},
	level("ringo_op_slots", "Operation slots in use.", func(s *stats.Loop) int { return s.Slots }),
	{Metric{Name: "ringo_op_tried_total", Help: "Plain calls of tasks, by operation.", Kind: Counter,
		Labels: []string{"op"}}, func(s *stats.Loop, p put) {
		for _, o := range s.Ops {
			p.value(float64(o.Tried), o.Op)
		}
	}},
	{Metric{Name: "ringo_op_submitted_total", Help: "Operations handed to the driver.", Kind: Counter,
		Labels: []string{"op"}}, func(s *stats.Loop, p put) {
		for _, o := range s.Ops {
			p.value(float64(o.Submitted), o.Op)
		}
	}},
	{Metric{Name: "ringo_op_seconds",
		Help: "Durations of operations that a task waited for, from submission to completion.", Kind: Histogram,
		Unit: "seconds", Labels: []string{"op"}, Bounds: quadruplings}, func(s *stats.Loop, p put) {
		for i := range s.Ops {
			if o := &s.Ops[i]; o.Times.Count() > 0 {
				p.times(&o.Times, o.Op)
			}
		}
	}},
	count("ringo_driver_enters_total", "Waits and flushes that made a system call.",
		func(s *stats.Loop) uint64 { return s.Driver.Enters }),
	count("ringo_driver_submitted_total", "Operations handed to the kernel, or to the poller.",
		func(s *stats.Loop) uint64 { return s.Driver.Submitted }),
	count("ringo_driver_completions_total", "Completions received.",
		func(s *stats.Loop) uint64 { return s.Driver.Completions }),
	count("ringo_driver_queued_total", "Operations that found the submission queue full.",
		func(s *stats.Loop) uint64 { return s.Driver.Queued }),
	count("ringo_driver_short_submits_total", "System calls after which the kernel had not taken all entries.",
		func(s *stats.Loop) uint64 { return s.Driver.ShortSubmits }),
	count("ringo_driver_overflows_total", "Overflows of the completion queue.",
		func(s *stats.Loop) uint64 { return s.Driver.Overflows }),
	count("ringo_driver_no_buffers_total", "Receives that found the buffer ring dry.",
		func(s *stats.Loop) uint64 { return s.Driver.NoBuffers }),
	count("ringo_driver_fallbacks_total", "Operations that fell back from their preferred way.",
		func(s *stats.Loop) uint64 { return s.Driver.Fallbacks }),
	count("ringo_driver_stale_total", "Events for operations or descriptors that were gone.",
		func(s *stats.Loop) uint64 { return s.Driver.Stale }),
	count("ringo_driver_sends_total", "Sends of batched writes, see sock.Conn.Write.",
		func(s *stats.Loop) uint64 { return s.Driver.Sends }),
	count("ringo_driver_short_sends_total", "Sends of batched writes that failed or were incomplete.",
		func(s *stats.Loop) uint64 { return s.Driver.ShortSends }),
	count("ringo_driver_wakes_total", "Wakes that ended a sleep.",
		func(s *stats.Loop) uint64 { return s.Driver.Wakes }),
	count("ringo_driver_wakes_sent_total", "Wakes that took a system call.",
		func(s *stats.Loop) uint64 { return s.Driver.WakesSent }),
	{Metric{Name: "ringo_driver_entries", Help: "The size of the submission queue, 0 if there is none.", Kind: Gauge},
		nil}, // Each asks the driver
})

var ofLanes = of([]string{"run", "lane"}, []row[stats.Lane]{
	{Metric{Name: "ringo_lane_wait_seconds", Help: "How long calls waited for a slot; 0 if they got one at once.",
		Kind: Histogram, Unit: "seconds", Bounds: quadruplings}, func(s *stats.Lane, p put) { p.times(&s.Waits) }},
	count("ringo_lane_waited_total", "Calls that had to wait for a slot.",
		func(s *stats.Lane) uint64 { return s.Waited }),
	level("ringo_lane_slots", "Maximum number of running calls.", func(s *stats.Lane) int { return s.Max }),
	level("ringo_lane_running", "Running calls.", func(s *stats.Lane) int { return s.Running }),
	level("ringo_lane_waiting", "Calls waiting for a slot.", func(s *stats.Lane) int { return s.Waiting }),
	{Metric{Name: "ringo_lane_oldest_wait_seconds", Help: "How long the first waiting call has waited.", Kind: Gauge,
		Unit: "seconds"}, func(s *stats.Lane, p put) { p.value(seconds(s.Oldest)) }},
})

var ofListeners = of([]string{"run", "loop", "network", "address"}, []row[listenerStats]{
	count("ringo_listener_accepted_total", "Connections returned by Accept or taken by Serve.",
		func(s *listenerStats) uint64 { return s.Accepted }),
	count("ringo_listener_errors_total", "Failed accepts, except those that failed because of the peer.",
		func(s *listenerStats) uint64 { return s.Errors }),
	count("ringo_listener_backoffs_total", "Times that accepting waited for descriptors or memory.",
		func(s *listenerStats) uint64 { return s.Backoffs }),
	count("ringo_listener_limited_total", "Times that accepting waited for Limits.Conns or Limits.Rate.",
		func(s *listenerStats) uint64 { return s.Limited }),
	count("ringo_listener_refused_total", "Connections that were reset for Limits.ConnsPerPeer.",
		func(s *listenerStats) uint64 { return s.Refused }),
	level("ringo_listener_connections", "Accepted connections that are open.",
		func(s *listenerStats) int { return s.Open }),
	level("ringo_listener_ahead", "Connections that the loop has accepted ahead.",
		func(s *listenerStats) int { return s.Ahead }),
	{Metric{Name: "ringo_listener_queue", Help: "TCP connections waiting in the kernel to be accepted.",
		Kind: Gauge}, func(s *listenerStats, p put) {
		if s.Queue >= 0 {
			p.value(float64(s.Queue))
		}
	}},
	{Metric{Name: "ringo_listener_queue_max", Help: "Maximum number of TCP connections waiting in the kernel.",
		Kind: Gauge},
		func(s *listenerStats, p put) {
			if s.QueueMax >= 0 {
				p.value(float64(s.QueueMax))
			}
		}},
})
