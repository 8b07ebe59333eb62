package hosted

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	cfg, err := Config{}.check()
	if err != nil || cfg.Rings < 1 || cfg.InFlight != 1024 || cfg.Few != 3 || cfg.Workers != 4 || cfg.Queue != 1<<16 {
		t.Errorf("the defaults are %+v, %v", cfg, err)
	}
	_, err = Config{Rings: -1, InFlight: 1 << 20, Queue: -2, Workers: -3}.check()
	for _, name := range []string{"Rings -1", "InFlight 1048576", "Queue -2", "Workers -3"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("nothing about %s in: %v", name, err)
		}
	}
	if _, err := Open(Config{Rings: -1}); err == nil {
		t.Error("opened with -1 rings")
	}
}
