// A command line over oras-go, the library that oras, helm and notation talk to registries with.
//
// It exists for the tests of this directory: each verb is one call of the library, plain HTTP only, results on
// standard output, one a line. It promises nothing to anyone else.
package main

import (
	"context"
	"fmt"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	oras "oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb string, args []string) error {
	repository, err := remote.NewRepository(args[0])
	if err != nil {
		return err
	}
	repository.PlainHTTP = true
	if user := os.Getenv("REGISTRY_USER"); user != "" {
		credential := auth.Credential{Username: user, Password: os.Getenv("REGISTRY_PASSWORD")}
		repository.Client = &auth.Client{
			Credential: auth.StaticCredential(repository.Reference.Registry, credential),
		}
	}
	repository.TagListPageSize = 2
	repository.ReferrerListPageSize = 2
	reference := repository.Reference.Reference
	switch verb {
	case "push": // reference, artifact type, content
		digest, err := pack(ctx, repository, args[1], args[2], nil)
		if err != nil {
			return err
		}
		return repository.Tag(ctx, digest, reference)
	case "attach": // reference of the subject, artifact type, content
		subject, err := repository.Resolve(ctx, reference)
		if err != nil {
			return err
		}
		_, err = pack(ctx, repository, args[1], args[2], &subject)
		return err
	case "referrers": // reference of the subject, artifact type or nothing
		subject, err := repository.Resolve(ctx, reference)
		if err != nil {
			return err
		}
		return repository.Referrers(ctx, subject, args[1], func(found []ocispec.Descriptor) error {
			for _, one := range found {
				fmt.Println(one.Digest, one.ArtifactType)
			}
			return nil
		})
	case "tags": // repository
		return repository.Tags(ctx, "", func(tags []string) error {
			for _, tag := range tags {
				fmt.Println(tag)
			}
			return nil
		})
	case "pull": // reference, directory for an OCI layout
		layout, err := oci.New(args[1])
		if err != nil {
			return err
		}
		root, err := oras.Copy(ctx, repository, reference, layout, reference, oras.DefaultCopyOptions)
		fmt.Println(root.Digest)
		return err
	case "copy": // from, to: with everything that refers to it
		target, err := remote.NewRepository(args[1])
		if err != nil {
			return err
		}
		target.PlainHTTP = true
		root, err := oras.ExtendedCopy(ctx, repository, reference, target,
			target.Reference.Reference, oras.DefaultExtendedCopyOptions)
		fmt.Println(root.Digest)
		return err
	case "delete": // reference
		found, err := repository.Resolve(ctx, reference)
		if err != nil {
			return err
		}
		return repository.Delete(ctx, found)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

// pack pushes one layer and the manifest around it, and prints the manifest's digest.
func pack(ctx context.Context, to *remote.Repository, artifactType, content string,
	subject *ocispec.Descriptor) (ocispec.Descriptor, error) {
	layer, err := oras.PushBytes(ctx, to, "text/plain", []byte(content))
	if err != nil {
		return layer, err
	}
	options := oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}, Subject: subject}
	root, err := oras.PackManifest(ctx, to, oras.PackManifestVersion1_1, artifactType, options)
	fmt.Println(root.Digest)
	return root, err
}
