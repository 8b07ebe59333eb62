package patience

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// hanging is in the environment of the process that waits for what never comes.
	hanging = "RINGO_TEST_HANGING"
	// begunEarlier is for how long its tests have run as far as a wait can tell.
	begunEarlier = "RINGO_TEST_BEGUN_EARLIER"
)

// TestNever is what TestGivesUp starts: a wait for what never comes, by each way to wait.
func TestNever(t *testing.T) {
	if early := os.Getenv(begunEarlier); early != "" {
		d, err := time.ParseDuration(early)
		if err != nil {
			panic(err)
		}
		born = born.Add(-d)
	}
	never := make(chan int)
	switch os.Getenv(hanging) {
	case "Until":
		Until(t, "what never comes", func() bool { return false })
	case "Recv":
		Recv(t, "what never comes", never)
	case "Done":
		Done(t, "what never comes", never)
	case "Within":
		Within("what never comes", func() { <-never })
	case "Guard":
		Guard()
		<-never
	case "Twice":
		Receive(never)
		Max = 20 * Max
		Until(t, "what never comes", func() bool { return false })
	default:
		t.Skip("for TestGivesUp")
	}
}

// TestGivesUp: who waits for what never comes fails in the end, with the stacks, and says for what.
func TestGivesUp(t *testing.T) {
	for _, how := range []string{"Until", "Recv", "Done", "Within", "Guard", "Twice", "Until before the alarm"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNever$", "-test.timeout=30s")
		how, before, _ := strings.Cut(how, " ")
		cmd.Env = append(os.Environ(), hanging+"="+how, maxEnv+"=50ms")
		if before != "" {
			cmd.Env = append(cmd.Env, maxEnv+"=1h", begunEarlier+"=29s") // the alarm itself is far off
		}
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: the process ended with 0\n%s", how, out)
		}
		wants := []string{"what never comes: nothing came forward for", "goroutine ", "TestNever"}
		switch how {
		case "Guard":
			wants[0] = "and the process rests"
		case "Twice":
			wants[0] += " 0s" // what is left of a patience of a second, to the second
		}
		for _, want := range wants {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: said nothing of %q:\n%s", how, want, out)
			}
		}
	}
}

// TestDeadline: a peer's call fails, and says so, ahead of go test's alarm, and has some time however late it is.
func TestDeadline(t *testing.T) {
	defer func(was string, begun time.Time, longest time.Duration) {
		flag.Set("test.timeout", was)
		born, Max = begun, longest
	}(flag.Lookup("test.timeout").Value.String(), born, Max)
	Max = 10 * time.Minute
	for _, c := range []struct{ alarm, begun, want time.Duration }{
		{0, 0, 10 * time.Minute},
		{time.Hour, 0, 10 * time.Minute},
		{10 * time.Minute, 0, 570 * time.Second},
		{10 * time.Minute, 5 * time.Minute, 270 * time.Second},
		{10 * time.Minute, 9 * time.Minute, 30 * time.Second},
		{10 * time.Minute, 565 * time.Second, 10 * time.Second},
		{10 * time.Minute, 599 * time.Second, 10 * time.Second},
	} {
		flag.Set("test.timeout", c.alarm.String())
		before := time.Now()
		born = before.Add(-c.begun)
		at := Deadline()
		if early, late := before.Add(c.want), time.Now().Add(c.want); at.Before(early) || at.After(late) {
			t.Errorf("an alarm after %v, of which %v are over: %v is left, want %v", c.alarm, c.begun, at.Sub(before),
				c.want)
		}
	}
}

// TestHeadway: while others come forward nobody gives up, however long it takes.
func TestHeadway(t *testing.T) {
	w := begin()
	w.since, w.processor = w.since.Add(-2*Max), w.processor-2*processorMax
	begin().end()
	if why := w.over(); why != "" {
		t.Errorf("others came forward, and a wait gave up: %s", why)
	}
	w.since = w.since.Add(-2 * Max)
	if w.over() == "" {
		t.Error("a wait of twice the bound without headway goes on")
	}
	*w = *begin()
	w.processor -= processorMax + time.Second
	if processorTime() > 0 && w.over() == "" {
		t.Error("a wait that cost too much of a processor without headway goes on")
	}
}

func TestComes(t *testing.T) {
	looks := 0
	Until(t, "the third look", func() bool { looks++; return looks == 3 })
	ch := make(chan int, 2)
	ch <- 7
	ch <- 8
	if v := Recv(t, "seven", ch); v != 7 {
		t.Errorf("got %d, want 7", v)
	}
	if !Done(t, "eight", ch) {
		t.Error("Done says that nothing came")
	}
	ran := false
	Within("a function that returns", func() { ran = true })
	if !ran {
		t.Error("Within did not call")
	}
}
