package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// leastGrace is how long a container needs to stop: the console itself, and a minute for nodes that save.
const leastGrace = 3*stopHTTP + stopJobs + time.Minute

// readDeployment reads the documents of a file below deploy. A key that T does not have is an error.
func readDeployment[T any](t *testing.T, file string) []T {
	t.Helper()
	text, err := os.ReadFile("../../deploy/" + file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var all []T
	for {
		var one T
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
}

// inImage is what serve makes of the environment of a container, together with that of the image. Values that only exist there stand for others here.
func inImage(t *testing.T, environment map[string]string) config {
	t.Helper()
	known, container := settings(t), readImage(t)
	for name, value := range environment {
		if strings.HasPrefix(name, "REKINDLE_") && !slices.Contains(known, name) {
			t.Errorf("%s is no setting", name)
		}
		container.env[name] = value
	}
	container.env["REKINDLE_NODE_ADDRESS"] = "127.0.0.1"
	c, err := readServeConfig(container.command[1:], func(name string) string { return container.env[name] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheFileForComposeFitsTheImage(t *testing.T) {
	t.Parallel()
	type service struct {
		Environment     map[string]string
		Ports, Volumes  []string
		Hostname        string
		StopGracePeriod string   `yaml:"stop_grace_period"`
		CapDrop         []string `yaml:"cap_drop"`
		Command         []string
		DependsOn       map[string]struct{ Condition string } `yaml:"depends_on"`
	}
	file := readDeployment[struct {
		Services map[string]service
		Volumes  map[string]any
	}](t, "compose.yaml")[0]
	console, s3 := file.Services["rekindle"], file.Services["s3"]
	environment := make(map[string]string)
	for name, value := range console.Environment {
		if variable, found := strings.CutPrefix(value, "${"); found { // "${NAME:-default}"
			_, value, _ = strings.Cut(strings.TrimSuffix(variable, "}"), ":-")
		}
		environment[name] = value
	}
	c := inImage(t, environment)
	if console.Environment["REKINDLE_NODE_ADDRESS"] != console.Hostname || console.Hostname == "" {
		t.Errorf("nodes are bound to %q, and the host is called %q", console.Environment["REKINDLE_NODE_ADDRESS"], console.Hostname)
	}
	_, port, _ := net.SplitHostPort(c.listen)
	nodes := console.Environment["REKINDLE_NODE_PORTS"]
	if want := []string{"127.0.0.1:8080:" + port, "127.0.0.1:" + nodes + ":" + nodes}; !slices.Equal(console.Ports, want) {
		t.Errorf("the ports are %v, want %v", console.Ports, want)
	}
	if !slices.Equal(console.Volumes, []string{"data:" + c.place.data}) || !slices.Equal(console.CapDrop, []string{"ALL"}) {
		t.Errorf("the console has %v, and lacks %v", console.Volumes, console.CapDrop)
	}
	if grace, err := time.ParseDuration(console.StopGracePeriod); err != nil || grace < leastGrace {
		t.Errorf("it may take %s to stop, and needs %s (%v)", console.StopGracePeriod, leastGrace, err)
	}
	if !strings.Contains(c.store, "endpoint=http://s3"+s3.Command[1]) {
		t.Errorf("the store is %s, and the S3 server listens on %s", c.store, s3.Command[1])
	}
	for name, one := range file.Services {
		for _, volume := range one.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if _, there := file.Volumes[from]; !there {
				t.Errorf("%s uses the volume %s", name, from)
			}
		}
		for other := range one.DependsOn {
			if _, there := file.Services[other]; !there {
				t.Errorf("%s waits for %s", name, other)
			}
		}
	}
}

type (
	manifest struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     struct {
			Replicas int
			Strategy struct{ Type string }
			Selector any
			Template struct{ Spec pod }
			Ports    []struct {
				TargetPort string `yaml:"targetPort"`
			}
		}
	}
	pod struct {
		TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
		EnableServiceLinks            *bool `yaml:"enableServiceLinks"`
		SecurityContext               struct {
			RunAsNonRoot bool `yaml:"runAsNonRoot"`
			RunAsUser    int  `yaml:"runAsUser"`
			FSGroup      int  `yaml:"fsGroup"`
		} `yaml:"securityContext"`
		Containers []container
		Volumes    []struct {
			Name                  string
			PersistentVolumeClaim struct {
				ClaimName string `yaml:"claimName"`
			} `yaml:"persistentVolumeClaim"`
		}
	}
	container struct {
		Env []struct {
			Name, Value string
		}
		Ports []struct {
			Name          string
			ContainerPort string `yaml:"containerPort"`
		}
		StartupProbe    podProbe `yaml:"startupProbe"`
		LivenessProbe   podProbe `yaml:"livenessProbe"`
		ReadinessProbe  podProbe `yaml:"readinessProbe"`
		SecurityContext struct {
			AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
			ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
			Capabilities             struct{ Drop []string }
		} `yaml:"securityContext"`
		VolumeMounts []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	podProbe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
		Timeout int                         `yaml:"timeoutSeconds"`
		Period  int                         `yaml:"periodSeconds"`
	}
)

func TestTheManifestsForKubernetesFitTheImage(t *testing.T) {
	t.Parallel()
	byKind := make(map[string][]manifest)
	for _, m := range readDeployment[manifest](t, "kubernetes/rekindle.yaml") {
		byKind[m.Kind] = append(byKind[m.Kind], m)
	}
	if len(byKind["Deployment"]) != 1 || len(byKind["PersistentVolumeClaim"]) != 1 || len(byKind["Service"]) != 2 {
		t.Fatalf("the manifests are %v", byKind)
	}
	deployment := byKind["Deployment"][0].Spec
	pod, in := deployment.Template.Spec, deployment.Template.Spec.Containers[0]
	if deployment.Replicas != 1 || deployment.Strategy.Type != "Recreate" {
		t.Errorf("%d pods, exchanged by %s: two consoles would want one data folder", deployment.Replicas, deployment.Strategy.Type)
	}
	if grace := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second; grace < leastGrace {
		t.Errorf("it may take %s to stop, and needs %s", grace, leastGrace)
	}
	if s := pod.SecurityContext; !s.RunAsNonRoot || s.RunAsUser != 10001 || s.FSGroup != 10001 {
		t.Errorf("it runs as %+v", s)
	}
	if s := in.SecurityContext; s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("it may do %+v", s)
	}
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		t.Error("services put variables into the pod that could be taken for settings")
	}
	environment := make(map[string]string)
	for _, variable := range in.Env {
		environment[variable.Name] = strings.ReplaceAll(variable.Value, "$(NAMESPACE)", "default")
	}
	c := inImage(t, environment)
	if host, _, _ := strings.Cut(c.announced, "."); host != byKind["Service"][1].Metadata.Name {
		t.Errorf("%s is announced, and the nodes' service is %s", c.announced, byKind["Service"][1].Metadata.Name)
	}
	_, port, _ := net.SplitHostPort(c.listen)
	if in.Ports[0].ContainerPort != port || byKind["Service"][0].Spec.Ports[0].TargetPort != in.Ports[0].Name {
		t.Errorf("the console listens on %s, the pod has %v", port, in.Ports)
	}
	if in.VolumeMounts[0].MountPath != c.place.data || pod.Volumes[0].Name != in.VolumeMounts[0].Name || pod.Volumes[0].PersistentVolumeClaim.ClaimName != byKind["PersistentVolumeClaim"][0].Metadata.Name {
		t.Errorf("the volume is mounted as %+v", in.VolumeMounts)
	}
	for path, p := range map[string]podProbe{"/healthz": in.LivenessProbe, "/healthz ": in.StartupProbe, "/readyz": in.ReadinessProbe} {
		if p.HTTPGet.Path != strings.TrimSpace(path) || p.HTTPGet.Port != in.Ports[0].Name || p.Timeout < 5 || p.Timeout > p.Period {
			t.Errorf("it is asked %+v", p)
		}
	}
}
