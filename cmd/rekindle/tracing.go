package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// stopTraces is how long the last traces may take to be sent.
const stopTraces = 5 * time.Second

// tracesWanted tells whether the environment says where traces are to be sent, and what of it does nothing. See
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
func tracesWanted(getenv func(string) string) (wanted bool, notes []string) {
	exporter := getenv("OTEL_TRACES_EXPORTER")
	somewhere := getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	switch {
	case getenv("OTEL_SDK_DISABLED") == "true", exporter == "none", exporter == "" && !somewhere:
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, []string{fmt.Sprintf("OTEL_TRACES_EXPORTER=%s does nothing: traces are sent by otlp only", exporter)}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := getenv(name); protocol != "" && protocol != "http/protobuf" {
			notes = append(notes, fmt.Sprintf("%s=%s does nothing: traces are sent by http/protobuf, to port 4318 of most receivers", name, protocol))
		}
	}
	return true, notes
}

// tracer sends traces to where the environment says, until stop is called. It is nil when that is nowhere. OpenTelemetry's own code reads the rest of
// its variables.
func tracer(ctx context.Context, getenv func(string) string, logger *slog.Logger) (_ trace.Tracer, stop func(), err error) {
	if getenv == nil {
		return nil, func() {}, nil
	}
	wanted, notes := tracesWanted(getenv)
	for _, note := range notes {
		logger.Warn(note)
	}
	if !wanted {
		return nil, func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("send traces: %w", err)
	}
	from, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "rekindle"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		logger.Warn("describe the console in traces", "error", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("send traces", "error", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(from))
	return provider.Tracer("rekindle"), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTraces)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			logger.Warn("send the last traces", "error", err)
		}
	}, nil
}
