package service

import "time"

// Every is how often a ping is due.
func (m *Manager) Every() time.Duration { return m.every }

// LastRound is the round that began last.
func (m *Manager) LastRound() any { return m.lastRound() }
