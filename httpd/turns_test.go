package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// heavyRequests may have to read many lines, cheap ones never do; of each dialect.
var (
	heavyRequests = map[string]string{
		"qnap-v2":        "/container-station/api/v1/log?text=nowhere-in-there",
		"qnap-v1":        "/api/v1/log?text=nowhere",
		"hss":            "/v5/" + testProject + "/container/image/events?resource_name=nothing",
		"aos":            "/v1/journal/?message__notcontains=nowhere&limit=1",
		"aos count":      "/v1/journal/count?message__notcontains=nowhere",
		"aos one object": "/v1/journal/?object_id=nothing",
	}
	cheapRequests = []string{"/container-station/api/v1/log", "/api/v1/event", "/v1/journal/?limit=20", "/v1/journal/count", "/api/v1/user/logs",
		"/api/v1/user/aggregatelogs", "/v5/" + testProject + "/container/image/events", "/healthz", "/metrics"}
)

// credentials are those of an administrator in all dialects.
func (b *box) credentials() []string {
	return []string{"Cookie", b.cookie("admin"), "Authorization", "Bearer tok-admin", "X-Auth-Token", "tok-admin"}
}

// TestHeavySearchesWaitAndCheapOnesDoNot holds the only turn: what is heavy is refused in the shape of its
// dialect when its time is over, or at once when the queue is full; what is cheap is answered as ever.
func TestHeavySearchesWaitAndCheapOnesDoNot(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", func(o *Options) { o.limits = limits{searches: 1, queue: 1, turn: 300 * time.Millisecond} })
	header := b.credentials()
	held, err := b.server.searching.take(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	exporting, err := b.server.exporting.take(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range heavyRequests {
		dialect, _, _ := strings.Cut(name, " ")
		got := b.do("GET", target, "", header...)
		wantShape(t, name+" without a turn", dialect, got, 503)
		if got.header.Get("Retry-After") == "" || got.took < 300*time.Millisecond {
			t.Errorf("%s: Retry-After %q after %v, want one after 300ms", name, got.header.Get("Retry-After"), got.took)
		}
	}
	got := b.do("GET", "/api/v1/log/export", "", header...)
	wantShape(t, "an export without a turn", "qnap-v1", got, 503)
	if got.header.Get("Retry-After") == "" || got.header.Get("Content-Disposition") != "" {
		t.Errorf("an export without a turn: Retry-After %q, Content-Disposition %q; want one, and no attachment", got.header.Get("Retry-After"), got.header.Get("Content-Disposition"))
	}
	for _, target := range cheapRequests {
		if got := b.do("GET", target, "", header...); got.status != 200 {
			t.Errorf("GET %s beside a heavy search = %d %s, want 200", target, got.status, got.body)
		}
	}
	waits := b.server.searching.join() // somebody waits already
	if got := b.do("GET", heavyRequests["aos"], "", header...); got.status != 503 {
		t.Errorf("beside a full queue = %d, want 503", got.status)
	}
	if err := waits.await(nil, time.After(0), func() error { return context.Canceled }); err == nil {
		t.Error("a turn came while the only one was held")
	}
	held.end()
	exporting.end()
	for name, target := range heavyRequests {
		if got := b.do("GET", target, "", header...); got.status != 200 {
			t.Errorf("%s afterwards = %d %s, want 200", name, got.status, got.body)
		}
	}
}

// TestAnExportThatIsReadSlowlyHoldsUpNobody begins more exports than there are turns and reads none of them.
func TestAnExportThatIsReadSlowlyHoldsUpNobody(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{searches: 1} })
	b.fill(6_000)
	header := b.credentials()
	for range 3 {
		b.dial("GET", "/api/v1/log/export", header[1])
	}
	time.Sleep(500 * time.Millisecond) // their clients' buffers are full
	for _, target := range []string{heavyRequests["qnap-v2"], "/api/v1/log?limit=1"} {
		if got := b.do("GET", target, "", header...); got.status != 200 || got.took > 10*time.Second {
			t.Errorf("GET %s = %d in %v, want 200", target, got.status, got.took)
		}
	}
}

// TestASearchThatTakesTooLongEndsInTime gives a search that reads every line less time than it needs.
func TestASearchThatTakesTooLongEndsInTime(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{answer: 5 * time.Millisecond} })
	b.fill(20_000)
	got := b.do("GET", "/v1/journal/count?message__notcontains=nowhere", "", "X-Auth-Token", "tok-admin")
	wantShape(t, "a search that takes too long", "aos", got, 503)
	if got.header.Get("Retry-After") == "" || got.took > 5*time.Second {
		t.Errorf("Retry-After %q after %v, want one soon after 5ms", got.header.Get("Retry-After"), got.took)
	}
}

// TestCheapAnswersBesideManyHeavySearches asks for the latest records while twenty clients search the whole log
// again and again.
func TestCheapAnswersBesideManyHeavySearches(t *testing.T) {
	b := newBox(t, "", nil)
	b.fill(30_000)
	header := b.credentials()
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 20 {
		all.Go(func() {
			for stop.Err() == nil {
				target := fmt.Sprintf("/v1/journal/count?message__notcontains=nowhere%d&action__notcontains=x", i)
				got := b.do("GET", target, "", header...)
				mu.Lock()
				statuses[got.status]++
				mu.Unlock()
			}
		})
	}
	var took []time.Duration
	for range 100 {
		got := b.do("GET", "/container-station/api/v1/log", "", header...)
		if got.status != 200 {
			t.Errorf("GET log = %d, want 200", got.status)
		}
		took = append(took, got.took)
	}
	cancel()
	all.Wait()
	slices.Sort(took)
	t.Logf("latest 20 beside 20 heavy clients: median %v, nine of ten below %v, slowest %v; heavy answers by status: %v", took[50], took[90], took[99], statuses)
	if took[50] > 2*time.Second || took[99] > 20*time.Second {
		t.Errorf("latest 20: median %v, slowest %v, want no wait for heavy searches", took[50], took[99])
	}
	for status := range statuses {
		if status != 200 && status != 503 {
			t.Errorf("a heavy search was answered with %d", status)
		}
	}
}

// TestTurnsAreTakenInOrder lets many want the one turn; each gets it, and none has it beside another.
func TestTurnsAreTakenInOrder(t *testing.T) {
	all := newTurns(2, 100, patience, "busy")
	var wg sync.WaitGroup
	var mu sync.Mutex
	running, most, done := 0, 0, 0
	for range 50 {
		wg.Go(func() {
			mine, err := all.take(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			for range 3 {
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(100 * time.Microsecond)
				mu.Lock()
				running--
				done++
				mu.Unlock()
				mine.end()
				if err := mine.again(context.Background()); err != nil {
					t.Error(err)
				}
			}
			mine.end()
			mine.end() // does nothing more
		})
	}
	wg.Wait()
	if most > 2 || done != 150 || all.taken() != 0 || len(all.line) != 0 || all.fresh != 0 {
		t.Errorf("%d at one time, %d pieces, %d turns taken and %d in line at the end, %d of them fresh; want 2, 150, 0, 0, 0", most, done, all.taken(), len(all.line), all.fresh)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	a, _ := all.take(context.Background())
	b, _ := all.take(context.Background())
	if _, err := all.take(gone); err == nil {
		t.Error("take for a client that is gone = nil, want an error")
	}
	a.end()
	b.end()
	var none *turn
	none.end()
	if err := none.again(gone); err != nil {
		t.Errorf("again of no turn = %v, want nil", err)
	}
}

// taken is how many have a turn.
func (t *turns) taken() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running
}
