#!/bin/bash
# The main job, as "make demo" shows it: two headless browsers call, the API
# starts and stops a recording, and one MP4 lies in the local store.
#
#     demo.sh PREFIX [PORT]
#
# MODULE, FFMPEG and TOKEN name the built files (nginx module, callrec-ffmpeg,
# token tool); SECONDS_TO_RECORD is 15 unless set; PAGE_QUERY goes to the
# page, BROWSER_OPTIONS to browser.mjs; BROWSER_LOGS is a folder for what the
# browsers say.  The last lines
# are the path, duration, size and a probe of the MP4.  Exits with 0 only
# when there is one.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
prefix=$1
port=${2:-3000}
call=${CALL:-demo-$$}
seconds=${SECONDS_TO_RECORD:-15}
base=http://127.0.0.1:$port
media=$(mktemp -d)
logs=${BROWSER_LOGS:-$media}
pids=()

finish() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$media"
}
trap finish EXIT

die() {
    echo "demo: $*" >&2
    tail -n 20 "$prefix/logs/error.log" >&2 2> /dev/null || true
    exit 1
}

# prints the answer as it came and leaves it in $answer
api() {
    local method=$1 path=$2
    shift 2
    printf '\n%s %s\n' "$method" "$path"
    answer=$(curl -sS -X "$method" "$base$path" \
             -H "Authorization: Bearer $token" "$@")
    jq . <<< "$answer"
}


curl -s -o /dev/null "$base/" && die "port $port is taken: make demo PORT=3001"

printf 'Starting nginx: '
"$root/conf/serve.sh" "$prefix" "$port" &
pids+=($!)

for _ in $(seq 100); do
    curl -s -o /dev/null "$base/" && break
    kill -0 "${pids[0]}" 2>/dev/null || die 'nginx did not start'
    sleep 0.1
done

token=$("$TOKEN" --key-file "$prefix/conf/jwt.key" --call "$call" \
        --perms publish,record,read,delete)


# name, colour, frequency of each participant
people=('Alice #2a9d8f 440' 'Bob #e9a23b 1000')

for person in "${people[@]}"; do
    read -r name color frequency <<< "$person"
    id=${name,,}
    "$here/fake-devices.sh" "$name" "$color" "$frequency" "$media/$id"

    mkfifo "$media/$id.in"
    url="$base/?call=$call&name=$name&participant=$id&join=1&raw-audio=1"
    node "$here/browser.mjs" ${BROWSER_OPTIONS:-} --video "$media/$id.mjpeg" \
         --audio "$media/$id.wav" "$url${PAGE_QUERY:-}#token=$token" \
         < "$media/$id.in" > "$logs/$id.log" 2>&1 &
    pids+=($!)
done

# held open: the browsers leave when they are closed
exec 8> "$media/alice.in" 9> "$media/bob.in"

for person in "${people[@]}"; do
    id=$(cut -d' ' -f1 <<< "${person,,}")
    for _ in $(seq 300); do
        grep -q '"connected"\|"error"' "$logs/$id.log" && break
        sleep 0.1
    done
    grep -q '"connected"' "$logs/$id.log" \
        || die "browser $id: $(cat "$logs/$id.log")"
    echo "$id publishes: $(grep '"connected"' "$logs/$id.log")"
done


api POST "/video-calls/$call/recording/start" \
    -H 'Content-Type: application/json' -d '{"startedBy":"demo"}'
id=$(jq -er .data.recordingId <<< "$answer") || die 'no recording started'

for left in $(seq "$seconds" -1 1); do
    printf '\rrecording, %2d s left' "$left"
    sleep 1
done
printf '\n'

api POST "/video-calls/$call/recording/stop"
stopped_ms=$(date +%s%3N)

rev=0
while :; do
    answer=$(curl -sS -H "Authorization: Bearer $token" \
             "$base/video-calls/$call/recording/$id?wait=10&rev=$rev")
    rev=$(jq -er .data.rev <<< "$answer") || die "status: $answer"
    status=$(jq -r .data.status <<< "$answer")
    jq -rj '.data | "\r\(.status) \(.progress.pct // 0) %, " +
            "\((.progress.etaMs // 0) / 1000) s to go        "' <<< "$answer"
    case $status in
        completed | failed | aborted) break ;;
    esac
    [ $(($(date +%s%3N) - stopped_ms)) -lt 120000 ] || die 'too slow'
done
printf '\rready %d ms after stop              \n' \
       $(($(date +%s%3N) - stopped_ms))

# people leave as people do
exec 8>&- 9>&-
wait "${pids[@]:1}"

api GET "/video-calls/$call/recording/$id"
[ "$status" = completed ] || die "the recording ended $status"

file=$(jq -er '.data.outputs[] | select(.kind == "composite") | .location' \
       <<< "$answer") || die 'no composite output'
file=${file#file://}
[ -s "$file" ] || die "$file is not there"

probe=$(ffprobe -v error -show_entries \
        stream=codec_name,width,height,r_frame_rate,sample_rate \
        -of compact=nk=1:p=0 "$file" | paste -sd' ')
printf '\npath:     %s\nduration: %s s\nsize:     %s bytes\nprobe:    %s\n' \
       "$file" \
       "$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$file")" \
       "$(stat -c %s "$file")" "$probe"
