package httpd

import (
	"context"
	"net/url"
	"time"

	"shiplog/format"
)

// run gets the jobs done until ctx ends.
func (x *exporter) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !x.claim.held.Load() {
			x.await(ctx)
			continue
		}
		j, wait := x.next()
		if j != nil {
			x.step(ctx, j)
			continue
		}
		var timer <-chan time.Time // nil without jobs: only the bell wakes
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-x.bell:
		case <-timer:
		}
	}
}

// next returns the job whose step is due, the longest waiting first, or how long until one is; 0: there is none.
// Files are written before anybody is told: a receiver that does not answer holds up no more than other messages.
func (x *exporter) next() (*exportJob, time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.jobs) == 0 {
		return nil, 0
	}
	now := x.now()
	var first *exportJob
	var at time.Time
	writes := func(j *exportJob, due time.Time) bool { return j.State == exportQueued && !due.After(now) }
	for _, j := range x.jobs {
		due := j.due()
		if !j.over() && due.Sub(now) > x.longest() { // the clock was set back
			due = now
		}
		before := first == nil || due.Before(at)
		if first != nil && writes(j, due) != writes(first, at) {
			before = writes(j, due)
		}
		if before {
			first, at = j, due
		}
	}
	if wait := at.Sub(now); wait > 0 {
		return nil, wait
	}
	return first, 0
}

// longest is the longest wait between two tries.
func (x *exporter) longest() time.Duration { return x.delay() << (exportRetries - 1) }

// delay is before the first retry; it doubles.
func (x *exporter) delay() time.Duration { return x.settings().ExportRetryDelay }

// change changes a job of the table and returns it as it is then. Only the worker calls it; a download may look
// at the job meanwhile.
func (x *exporter) change(j *exportJob, change func(*exportJob)) exportJob {
	x.mu.Lock()
	defer x.mu.Unlock()
	change(j)
	return *j
}

// keep changes a job and saves it. When the disk refuses it the work goes on: after a restart something may be
// done again.
func (x *exporter) keep(j *exportJob, change func(*exportJob)) exportJob {
	now := x.change(j, change)
	if err := x.store.save(&now); err != nil {
		x.logger.Error("export job not saved", "job", now.ID, "err", err)
	}
	return now
}

// step does what is due of a job.
func (x *exporter) step(ctx context.Context, j *exportJob) {
	now := x.now()
	switch {
	case j.State == exportQueued:
		x.write(ctx, j)
	case j.over():
		x.forget(j)
	case j.Result == exportSuccess && j.expired(now): // it is too late to tell of the file
		x.keep(j, func(j *exportJob) { j.State, j.Result, j.Ended = exportNotifying, exportTimedOut, now })
	case j.Callback.open() && !j.Callback.Next.After(j.due()):
		x.tell(ctx, j, &j.Callback, "callback", x.call)
	case j.Mail.open():
		x.tell(ctx, j, &j.Mail, "e-mail", x.post)
	default:
		x.finish(j)
	}
}

// write makes the job's file. It is tried again when it fails, unless the server ends.
func (x *exporter) write(ctx context.Context, j *exportJob) {
	job := x.keep(j, func(j *exportJob) { j.Attempts++ })
	err := x.writeLogs(ctx, &job)
	now := x.now()
	switch {
	case err == nil:
		x.keep(j, func(j *exportJob) { j.State, j.Result, j.Ended = exportWritten, exportSuccess, now })
	case ctx.Err() != nil:
		x.keep(j, func(j *exportJob) { j.Attempts-- })
	case job.Attempts > exportRetries:
		x.logger.Error("export given up", "job", job.ID, "tries", job.Attempts, "err", err)
		x.keep(j, func(j *exportJob) { j.State, j.Result, j.Ended = exportNotifying, exportFailed, now })
		x.record(ctx, job.audit(format.OutcomeFailure, "the file could not be written"))
	default:
		wait := x.delay() << (job.Attempts - 1)
		x.logger.Warn("export failed", "job", job.ID, "tries", job.Attempts, "retry", wait, "err", err)
		x.keep(j, func(j *exportJob) { j.Next = now.Add(wait) })
	}
}

// tell sends one message of a job. That it was begun is saved before, and that it arrived after: only who is
// cut off between the two sends it twice.
func (x *exporter) tell(ctx context.Context, j *exportJob, d *delivery, what string, send func(context.Context, *exportJob) error) {
	job := x.keep(j, func(j *exportJob) {
		j.State = exportNotifying
		d.Attempts++
	})
	tries := d.Attempts // the worker alone writes it
	err := send(ctx, &job)
	now := x.now()
	switch {
	case err == nil:
		x.logger.Info("export delivered", "job", job.ID, "by", what, "tries", tries, "status", job.Result)
		x.keep(j, func(*exportJob) { d.Sent = true })
	case ctx.Err() != nil:
		x.keep(j, func(*exportJob) { d.Attempts-- })
	case tries > exportRetries:
		x.logger.Error("export message given up", "job", job.ID, "by", what, "tries", tries, "err", withoutURL(err))
		x.keep(j, func(*exportJob) { d.GaveUp = true })
	default:
		wait := x.delay() << (tries - 1)
		x.logger.Warn("export message failed", "job", job.ID, "by", what, "tries", tries, "retry", wait, "err", withoutURL(err))
		x.keep(j, func(*exportJob) { d.Next = now.Add(wait) })
	}
}

// withoutURL takes the URL out of what an HTTP client says: receivers put secrets into it.
func withoutURL(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

func (x *exporter) call(ctx context.Context, j *exportJob) error {
	body, err := j.message()
	if err != nil {
		return err
	}
	return x.settings().calls.post(ctx, j.Callback.To, body)
}

func (x *exporter) post(ctx context.Context, j *exportJob) error {
	mail := x.settings().mail
	if mail == nil {
		return errNoMailer // the job is from a time when there was one
	}
	subject, body := j.letter()
	return mail.send(ctx, j.Mail.To, subject, body)
}

// finish ends a job of which everything was told, or given up.
func (x *exporter) finish(j *exportJob) {
	x.keep(j, func(j *exportJob) {
		if j.State = exportDone; j.Result != exportSuccess || j.Callback.GaveUp || j.Mail.GaveUp {
			j.State = exportFailed
		}
	})
}

// forget removes a job and its file. What cannot be removed now is tried again later.
func (x *exporter) forget(j *exportJob) {
	if err := x.store.remove(j.ID); err != nil {
		x.logger.Error("expired export not removed", "job", j.ID, "err", err)
		x.change(j, func(j *exportJob) { j.Ended, j.Result = x.now(), exportTimedOut }) // it is not offered again
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.jobs, j.ID)
}
