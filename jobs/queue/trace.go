package queue

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"rekindle/internal/drain"
	"rekindle/models"
)

// trail is what becomes a run's trace: a span for the run, and one below it for each of its stages.
type trail struct {
	tracer trace.Tracer
	ctx    context.Context // has the run's span
	run    trace.Span
	stage  trace.Span // nil before the first one
	text   string
}

// newTrail begins a run's trace. It costs next to nothing when nobody is sent traces.
func (q *Queue) newTrail(ctx context.Context, run models.Run) *trail {
	tracer := q.Tracer
	if tracer == nil {
		tracer = noop.Tracer{}
	}
	ctx, span := tracer.Start(context.WithoutCancel(ctx), "run "+string(run.Kind), trace.WithNewRoot(), trace.WithAttributes(
		attribute.Int64("rekindle.run", int64(run.ID)), attribute.String("rekindle.kind", string(run.Kind)), attribute.String("rekindle.cluster", run.ClusterName),
		attribute.String("rekindle.snapshot", run.SnapshotName), attribute.String("rekindle.requested_by", run.RequestedBy), attribute.Int("rekindle.attempt", run.Attempts)))
	return &trail{tracer: tracer, ctx: ctx, run: span}
}

// enter begins the span of a stage, unless it goes on.
func (t *trail) enter(text string) {
	if text == t.text {
		return
	}
	t.leave()
	t.text = text
	if text != "" {
		_, t.stage = t.tracer.Start(t.ctx, text)
	}
}

func (t *trail) leave() {
	if t.stage != nil {
		t.stage.End()
		t.stage = nil
	}
}

// end ends the trace with how the run ended.
func (t *trail) end(err error, progress models.Progress) {
	t.leave()
	t.run.SetAttributes(attribute.Int64("rekindle.bytes", progress.BytesDone), attribute.Int64("rekindle.keys", progress.KeysDone))
	switch {
	case err == nil:
		t.run.SetStatus(codes.Ok, "")
	case errors.Is(err, ErrCancelled), errors.Is(err, drain.ErrStopping):
		t.run.AddEvent("cut off: " + err.Error())
	default:
		t.run.RecordError(err)
		t.run.SetStatus(codes.Error, err.Error())
	}
	t.run.End()
}
