# Builds an image from programs of this machine, runs it alone and beside its host, and takes it away again.
set -eu
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
image=check-$$
trap 'podman rmi --force "$image" > /dev/null 2>&1 || :' EXIT
mkdir -p root/bin data
for program in dash cat id sha256sum stat wc; do
    cp -L "$(command -v $program)" root/bin/
    for library in $(ldd "$(command -v $program)" | grep -o '/[^ ]*'); do
        mkdir -p "root${library%/*}"
        cp -L "$library" "root$library"
    done
done
mv root/bin/dash root/bin/sh
cat > Containerfile << 'END'
FROM scratch
COPY root/ /
COPY --chown=42:42 Containerfile /theirs
RUN echo built as $(id -u) > /made
ENV WORDS="forty two"
CMD ["/bin/sh", "-c", "cat /made; id -u; stat -c %u /theirs; echo $WORDS; sha256sum < /data/abc; echo back > /data/back"]
END
podman build --quiet --tag "$image" . > built || exit 1
printf abc > data/abc
podman run --rm --volume "$PWD/data:/data" "$image" > said
{ read -r made; read -r user; read -r owner; read -r words; read -r digest _; } < said
[ "$made" = "built as 0" ] || { echo "the image was made by: $made" >&2; exit 1; }
[ "$owner" = 42 ] || { echo "the image's file of another user is $owner's, and not 42's" >&2; exit 1; }
# SHA-256 of `abc` as FIPS 180-2 has it.
abc=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
[ "$user $words $digest" = "0 forty two $abc" ] || { echo "the container says: $(cat said)" >&2; exit 1; }
[ "$(cat data/back)" = back ] && [ "$(stat -c %U data/back)" = "$(id -un)" ] || {
    echo "what the container's root wrote is not mine: $(ls -l data)" >&2
    exit 1
}
# Its own list of processes, no network without asking, and its own memory of what it wrote.
alone=$(podman run --rm --network=none "$image" /bin/sh -c 'echo $$; wc -l < /proc/net/route; echo more >> /made')
[ "$alone" = "$(printf '1\n1')" ] || { echo "alone the container has (process, routes): $alone" >&2; exit 1; }
kept=$(docker run --rm "$image" /bin/sh -c 'wc -l < /made' 2> /dev/null)
[ "$kept" = 1 ] || { echo "the image changed as its container ran: $kept lines" >&2; exit 1; }
printf '{"versions": {"podman": "%s", "crun": "%s"}}\n' "$(podman version --format '{{.Version}}')" "$(crun --version | sed -n '1s/.* //p')"
