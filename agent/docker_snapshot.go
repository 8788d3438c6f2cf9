package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// dockerSnapshot is the state of a daemon at one moment.
type dockerSnapshot struct {
	at         time.Time // before the first listing
	containers map[string]dockerState
	images     map[string][]string // id to names; nil: not listed
	volumes    map[string]bool     // nil: not listed
}

// dockerState is the state of one container.
type dockerState struct {
	id, name, image            string
	labels                     map[string]string
	created, started, finished time.Time // zero: never
	status                     string
	paused, oom                bool
	exit                       int
	err                        string
	restarts                   int
	networks                   map[string]string // id to name
	info                       DockerInfo
}

func (d dockerState) running() bool { return d.status == "running" || d.status == "paused" }

// takeSnapshot lists what is compared: 0.5 ms for the list and 0.6 ms for each container.
func takeSnapshot(ctx context.Context, cli *client.Client, now func() time.Time) (*dockerSnapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, 12*dockerAnswers)
	defer cancel()
	snap := &dockerSnapshot{at: now(), containers: map[string]dockerState{}}
	list, err := cli.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range list {
		i, err := cli.ContainerInspect(ctx, c.ID)
		switch {
		case cerrdefs.IsNotFound(err):
			continue // gone since the listing; its destroy event tells
		case err != nil:
			return nil, fmt.Errorf("inspect container %s: %w", shortID(c.ID), err)
		case i.ContainerJSONBase == nil || i.State == nil:
			continue
		}
		snap.containers[c.ID] = dockerStateOf(i)
	}
	if list, err := cli.ImageList(ctx, image.ListOptions{}); err == nil {
		snap.images = map[string][]string{}
		for _, i := range list {
			var names []string
			for _, n := range i.RepoTags {
				if n != "<none>:<none>" {
					names = append(names, n)
				}
			}
			snap.images[i.ID] = names
		}
	}
	if list, err := cli.VolumeList(ctx, volume.ListOptions{}); err == nil {
		snap.volumes = map[string]bool{}
		for _, v := range list.Volumes {
			snap.volumes[v.Name] = true
		}
	}
	return snap, nil
}

func dockerStateOf(i container.InspectResponse) dockerState {
	d := dockerState{
		id: i.ID, name: strings.TrimPrefix(i.Name, "/"), created: dockerTime(i.Created),
		started: dockerTime(i.State.StartedAt), finished: dockerTime(i.State.FinishedAt),
		status: i.State.Status, paused: i.State.Paused, oom: i.State.OOMKilled, exit: i.State.ExitCode,
		err: i.State.Error, restarts: i.RestartCount, networks: map[string]string{}, info: dockerInfo(i),
	}
	if i.Config != nil {
		d.image, d.labels = i.Config.Image, i.Config.Labels
	}
	if i.NetworkSettings != nil {
		for name, n := range i.NetworkSettings.Networks {
			if n != nil && n.NetworkID != "" {
				d.networks[n.NetworkID] = name
			}
		}
	}
	return d
}

func dockerInfo(i container.InspectResponse) DockerInfo {
	var info DockerInfo
	if i.ContainerJSONBase != nil {
		info.Name = strings.TrimPrefix(i.Name, "/")
		if i.State != nil {
			info.Error = i.State.Error
		}
	}
	if i.Config != nil {
		info.Shell = i.Config.Shell
		if i.Config.Healthcheck != nil {
			info.Health = i.Config.Healthcheck.Test
		}
	}
	if i.NetworkSettings != nil {
		for _, b := range i.NetworkSettings.Ports {
			info.Ports = info.Ports || len(b) > 0
		}
	}
	return info
}

// dockerTime reads a time of an inspect. Year 1 means never.
func dockerTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// askVersion keeps the daemon's version, which is for people only.
func (s *dockerSource) askVersion(ctx context.Context, cli *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, lookupAnswers)
	defer cancel()
	v, err := cli.ServerVersion(ctx)
	if err != nil {
		s.log.Debug("version not told", "engine", s.engine(), "err", err)
		return
	}
	s.meter.update(func(st *SourceStats) { st.Version = v.Version })
}
