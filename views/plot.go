package views

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/a-h/templ"
)

// Plots are drawn here and not by a library. go-analyze/charts 0.6.4 and gonum/plot 0.17.0 put each colour and font into a style attribute, which the
// content security policy refuses, and which would not follow the theme; and their points cannot be reached by keyboard, named or linked. What the
// pages need is small: lines, points, bars, ticks.
//
// A plot has no view box. Places across are in percent and places down in pixels, so that it is as wide as its place while its text keeps its size.

// PlotPoint is one value at one time.
type PlotPoint struct {
	At    time.Time
	Value float64
	Text  string        // the value in words: "315 MB"
	Name  string        // of what it belongs to; "": none
	Href  templ.SafeURL // of that; "": nowhere
	Other bool          // drawn as a square, such as manual snapshots among automatic ones
}

// Plot is a line over time with a point for each value.
type Plot struct {
	ID     string // unique on the page
	Title  string // "Stored size"
	What   string // the column's head of what a point belongs to: "Snapshot"; "": none
	From   time.Time
	To     time.Time
	Points []PlotPoint // the oldest first
	Scale  PlotScale
	Gap    time.Duration // points that are further apart are not joined
	Round  string        // what round points are, if some are square: "automatic"
	Square string        // what those are
	Empty  string        // a sentence for when there is no point
	Zero   time.Time     // times are counted from then, in seconds; zero: they are days
	Span   PlotSpan      // a stretch of time that is marked
	Dense  bool          // many points: they have no figures and no place in the tab order, and are read from the table
}

// PlotSpan is a stretch of time.
type PlotSpan struct {
	From, To time.Time
	Text     string // what happened then: "while it was read"
}

// PlotScale is the unit of the values.
type PlotScale struct {
	steps func(greatest float64) float64 // the distance of the ticks
	text  func(value float64) string
}

// The scales of plots.
var (
	PlotBytes    = PlotScale{niceStep, func(v float64) string { return SizeText(int64(v)) }}
	PlotRate     = PlotScale{niceStep, func(v float64) string { return SizeText(int64(v)) + "/s" }}
	PlotPace     = PlotScale{func(v float64) float64 { return max(1, niceStep(v)) }, func(v float64) string { return Count(int64(math.Round(v))) }}
	PlotLatency  = PlotScale{niceStep, func(v float64) string { return LatencyText(time.Duration(v * float64(time.Second))) }}
	PlotDuration = PlotScale{niceSeconds, func(v float64) string { return DurationText(time.Duration(v * float64(time.Second))) }}
)

// The height of the area of a plot, in pixels, and how many ticks are wanted on it.
const (
	plotHeight = 120
	plotTicks  = 3
)

// niceStep is a step of 1, 2 or 5 times a power of ten.
func niceStep(greatest float64) float64 {
	if greatest <= 0 {
		return 1
	}
	raw := greatest / plotTicks
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power {
			return m * power
		}
	}
	return 10 * power
}

// niceSeconds is a step that people count time in.
func niceSeconds(greatest float64) float64 {
	for _, step := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600} {
		if greatest > 1 && greatest <= step*plotTicks {
			return step
		}
	}
	if greatest <= 1 {
		return niceStep(greatest)
	}
	return math.Ceil(greatest/plotTicks/3600) * 3600
}

// step is the distance of two ticks.
func (p Plot) step() float64 {
	greatest := 0.0
	for _, point := range p.Points {
		greatest = max(greatest, point.Value)
	}
	return p.Scale.steps(greatest)
}

// top is the value at the upper edge: the first tick that no point is above. The lower edge is zero.
func (p Plot) top() float64 {
	step, greatest := p.step(), 0.0
	for _, point := range p.Points {
		greatest = max(greatest, point.Value)
	}
	return step * max(1, math.Ceil(greatest/step))
}

// x is the place of an instant, in percent of the width.
func (p Plot) x(at time.Time) float64 {
	span := p.To.Sub(p.From)
	if span <= 0 {
		return 0
	}
	return min(100, max(0, 100*float64(at.Sub(p.From))/float64(span)))
}

// y is the place of a value, in pixels from the upper edge.
func (p Plot) y(value float64) float64 { return plotHeight * (1 - value/p.top()) }

type plotTick struct{ place, text string }

func (p Plot) valueTicks() []plotTick {
	var ticks []plotTick
	for step, v := p.step(), 0.0; v <= p.top()*1.001; v += step {
		text := "0"
		if v > 0 {
			text = p.Scale.text(v)
		}
		ticks = append(ticks, plotTick{pixels(p.y(v)), text})
	}
	return ticks
}

// timeTicks are some midnights (UTC) within the plot, as few as tell the days apart, or round numbers of seconds.
func (p Plot) timeTicks() []plotTick {
	if !p.Zero.IsZero() {
		return p.secondTicks()
	}
	days := int(p.To.Sub(p.From).Hours()/24) + 1
	every := max(1, (days+4)/5)
	var ticks []plotTick
	first := p.From.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	for at := first; !at.After(p.To); at = at.AddDate(0, 0, every) {
		ticks = append(ticks, plotTick{percents(p.x(at)), at.Format("2 Jan")})
	}
	return ticks
}

// secondTicks are some round numbers of seconds within the plot.
func (p Plot) secondTicks() []plotTick {
	step := niceSeconds(p.To.Sub(p.From).Seconds())
	var ticks []plotTick
	for n := math.Ceil(p.From.Sub(p.Zero).Seconds() / step); ; n++ {
		at := p.Zero.Add(time.Duration(n * step * float64(time.Second)))
		if at.After(p.To) {
			return ticks
		}
		ticks = append(ticks, plotTick{percents(p.x(at)), p.offsetText(at)})
	}
}

// offsetText is how long an instant is after Zero.
func (p Plot) offsetText(at time.Time) string {
	switch d := at.Sub(p.Zero).Round(time.Millisecond); {
	case d == 0:
		return "0"
	case d < 0:
		return "−" + DurationText(-d)
	default:
		return DurationText(d)
	}
}

// spanWidth is the width of the marked stretch, in percent; 0: there is none.
func (p Plot) spanWidth() float64 {
	if p.Span.From.IsZero() {
		return 0
	}
	return max(0.5, p.x(p.Span.To)-p.x(p.Span.From))
}

// joined are the points that are joined with the one before, by their numbers.
func (p Plot) joined() []int {
	var with []int
	for i := 1; i < len(p.Points); i++ {
		if p.Gap == 0 || p.Points[i].At.Sub(p.Points[i-1].At) <= p.Gap {
			with = append(with, i)
		}
	}
	return with
}

// latest is the last value in words.
func (p Plot) latest() string {
	if len(p.Points) == 0 {
		return ""
	}
	return p.Points[len(p.Points)-1].Text
}

// summary is what the plot shows, in a sentence.
func (p Plot) summary() string {
	if len(p.Points) == 0 {
		return p.Title + ": " + p.Empty
	}
	least, most := p.Points[0], p.Points[0]
	for _, point := range p.Points {
		if point.Value < least.Value {
			least = point
		}
		if point.Value > most.Value {
			most = point
		}
	}
	if !p.Zero.IsZero() {
		return fmt.Sprintf("%s over %s: %s, between %s and %s", p.Title, DurationText(p.To.Sub(p.From)), Plural(len(p.Points), "value"), least.Text, most.Text)
	}
	return fmt.Sprintf("%s from %s to %s: %s, between %s and %s, most recently %s", p.Title, p.From.UTC().Format("2 January"), p.To.UTC().Format("2 January 2006"),
		Plural(len(p.Points), "value"), least.Text, most.Text, p.latest())
}

// role is an image where no point can be reached by itself.
func (p Plot) role() string {
	if p.Dense {
		return "img"
	}
	return "group"
}

func (p Plot) timeHead() string {
	if p.Zero.IsZero() {
		return "Time"
	}
	return "Since it began"
}

// label is what a point says: when, what, and how much.
func (p PlotPoint) label() string {
	text := MinuteText(p.At) + ": " + p.Text
	if p.Name != "" {
		text += ", " + p.Name
	}
	return text
}

// anchor is where the figure of a point is set, so that it stays within the plot.
func (p Plot) anchor(point PlotPoint) string {
	switch x := p.x(point.At); {
	case x < 25:
		return "start"
	case x > 75:
		return "end"
	}
	return "middle"
}

// figureY is above the point, or below it where there is no room.
func (p Plot) figureY(point PlotPoint) string {
	if y := p.y(point.Value); y > 26 {
		return pixels(y - 11)
	}
	return pixels(p.y(point.Value) + 21)
}

func pixels(v float64) string   { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
func percents(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) + "%" }

// Sparkline are values without an axis, beside the number that they explain; see [Plot] for one with figures.
type Sparkline struct {
	Label  string // what it shows, in a sentence
	Values []float64
}

const (
	sparkWidth  = 120
	sparkHeight = 28
)

// points are the line's corners, in pixels.
func (s Sparkline) points() string {
	greatest := 0.0
	for _, v := range s.Values {
		greatest = max(greatest, v)
	}
	if greatest == 0 || len(s.Values) < 2 {
		return ""
	}
	text := ""
	for i, v := range s.Values {
		x := 1 + float64(i)*(sparkWidth-2)/float64(len(s.Values)-1)
		text += pixels(x) + "," + pixels(2+(sparkHeight-4)*(1-v/greatest)) + " "
	}
	return text
}
