package httpd

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	failuresPerMinute = 10   // of one source address; more are refused unseen
	freeFailures      = 3    // of one account before answers to wrong passwords are held back
	limiterKeys       = 4096 // remembered addresses, and as many accounts
	maxHeldBack       = 64   // answers held back at one time
	maxDelayShift     = 4    // the longest delay is the first one times 2^4
)

// limiter slows guessing. It counts failures by source address and refuses an address that had ten within a
// minute. It counts them by account too, but holds back only the answers to wrong passwords: nobody can lock
// somebody else's account, and a right password from another address is not delayed.
type limiter struct {
	now   func() time.Time
	delay time.Duration // of the first answer held back; it doubles with each
	held  chan struct{} // one token per answer held back

	mu        sync.Mutex
	addresses failures // guarded by mu
	accounts  failures // guarded by mu
}

func newLimiter(now func() time.Time, delay time.Duration) *limiter {
	return &limiter{now: now, delay: delay, held: make(chan struct{}, maxHeldBack), addresses: failures{}, accounts: failures{}}
}

// failures are the times of the last failures by key, at most failuresPerMinute of each.
type failures map[string][]time.Time

// recent returns the failures of key within the last minute, oldest first.
func (f failures) recent(key string, now time.Time) []time.Time {
	list := f[key]
	for len(list) > 0 && now.Sub(list[0]) >= time.Minute {
		list = list[1:]
	}
	if len(list) == 0 {
		delete(f, key)
	} else {
		f[key] = list
	}
	return list
}

func (f failures) add(key string, now time.Time) int {
	list := append(f.recent(key, now), now)
	if len(list) > failuresPerMinute {
		list = append([]time.Time(nil), list[len(list)-failuresPerMinute:]...)
	}
	if _, known := f[key]; !known && len(f) >= limiterKeys {
		f.makeRoom(now)
	}
	f[key] = list
	return len(list)
}

// makeRoom forgets keys without a recent failure, and when all have one the one that failed longest ago.
func (f failures) makeRoom(now time.Time) {
	var oldest string
	var when time.Time
	for key, list := range f {
		last := list[len(list)-1]
		if now.Sub(last) >= time.Minute {
			delete(f, key)
		} else if when.IsZero() || last.Before(when) {
			oldest, when = key, last
		}
	}
	if len(f) >= limiterKeys {
		delete(f, oldest)
	}
}

// blocked tells for how long logins from this source are refused; 0: they are not.
func (l *limiter) blocked(source string) time.Duration {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.addresses.recent(source, now)
	if len(list) < failuresPerMinute {
		return 0
	}
	return list[len(list)-failuresPerMinute].Add(time.Minute).Sub(now)
}

// failed counts one failure and returns for how long its answer is to be held back.
func (l *limiter) failed(source, account string) time.Duration {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addresses.add(source, now)
	sum := sha256.Sum256([]byte(account)) // a name may be as long as a body
	n := l.accounts.add(string(sum[:]), now) - freeFailures
	if n <= 0 {
		return 0
	}
	return l.delay << min(n-1, maxDelayShift)
}

// hold waits for d, but no longer than the client is there and the server runs, and not at all when many
// answers are held back already.
func (l *limiter) hold(d time.Duration, gone, closing <-chan struct{}) {
	if d <= 0 {
		return
	}
	select {
	case l.held <- struct{}{}:
		defer func() { <-l.held }()
	default:
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-gone:
	case <-closing:
	}
}

// sourceKey is what failures of a remote address are counted by: the address, and for IPv6 its /64, since one
// household has all of those.
func sourceKey(remote string) string {
	ip := sourceIP(remote)
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// sourceIP is the address part of a request's RemoteAddr.
func sourceIP(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}
