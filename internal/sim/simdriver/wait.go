package simdriver

import (
	"errors"

	"ringo/internal/driver"
	"ringo/internal/sys"
)

// errKilled is the error of a loop whose host has crashed.
var errKilled = errors.New("sim: the host has crashed")

// wanted reports whether a Wait has something to do.
func (d *engine) wanted() bool {
	return d.woken.Load() || len(d.hot) > 0 || !d.made.Empty() || !d.queue.Empty() || !d.ended.Empty()
}

// worldTime converts a deadline to the world's clock.
func (d *engine) worldTime(deadline int64) int64 {
	at := deadline + d.ahead
	switch {
	case deadline == driver.Poll, deadline == driver.Forever:
		return deadline
	case d.ahead < 0 && at > deadline: // past what there are numbers for
		return driver.Poll
	case d.ahead > 0 && at < deadline:
		return driver.Forever
	}
	return at
}

// Wait runs new ops and those that can go on, and sleeps only if there is nothing to report.
func (d *engine) Wait(deadline int64, done *driver.Queue) error {
	d.done = done
	timed := deadline != driver.Poll
	deadline = d.worldTime(deadline)
	d.sendAll()
	before := d.stats.Completions
	for slept := false; ; slept = true {
		if d.cfg.Killed() {
			return errKilled
		}
		if d.dead == nil && d.cfg.Fault != nil {
			d.dead = d.cfg.Fault()
		}
		if d.dead != nil {
			d.cancelAll()
		}
		d.stats.Enters++
		late := deadline != driver.Forever && d.w.Now() >= deadline
		d.work()
		woken := d.woken.Load() && d.woken.Swap(false)
		switch {
		case d.dead != nil:
			d.cfg.Pause() // or what a disk is at would never end for a loop that turns on
			return d.dead
		case woken, d.stats.Completions != before, d.cfg.Outbox.Failed(), late:
			done.Looked = late && timed
			if !slept {
				d.cfg.Pause()
			}
			if d.cfg.Killed() {
				return errKilled
			}
			return nil
		}
		if !d.wanted() {
			d.cfg.Sleep(deadline)
		}
		if d.woken.Load() {
			d.stats.Wakes++
		}
	}
}

// work handles what was submitted or cancelled, and descriptors with news.
func (d *engine) work() {
	for queue := d.queue.TakeAll(); !queue.Empty(); {
		d.start(queue.Pop())
	}
	for ended := d.ended.TakeAll(); !ended.Empty(); {
		o := ended.Pop()
		d.end(o, o.Failed(-sys.ECANCELED), 0)
	}
	for made := d.made.TakeAll(); !made.Empty(); {
		d.finish(made.Pop())
	}
	hot := d.hot
	d.hot, d.cool = d.cool, nil
	for _, r := range hot {
		r.heated = false
		if d.regs[r.f] == r {
			d.goOn(r)
		}
	}
	clear(hot)
	d.cool = hot[:0]
}
