# How the measured enclave is built, for build-image and measure; sourced after common.sh.
IMAGE_PACKAGES=(libsodium-dev libssl-dev dpkg-dev gcc make xz-utils ca-certificates)

# Protocols and features of libcurl that the enclave has no use for. What stays is HTTPS/1.1 over TCP and Unix sockets.
CURL_WITHOUT=(
    --disable-{ldap,ldaps,ftp,file,dict,telnet,tftp,pop3,imap,smb,smtp,gopher,mqtt,rtsp,netrc,cookies,proxy}
    --disable-{alt-svc,hsts,ntlm,ntlm-wb,tls-srp,doh,dateparse,libcurl-option,get-easy-options,verbose,manual}
    --without-{librtmp,libssh2,libssh,libpsl,libidn2,nghttp2,nghttp3,ngtcp2,brotli,zstd,zlib,gssapi}
)

# static_libraries FOLDER: libcurl from Debian's source package, beside links to the static OpenSSL, libsodium and
# libstdc++, so that the linker finds nothing else in FOLDER/static.
static_libraries() {
    local folder=$1 library
    mkdir -p "$folder/static" "$folder/curl"
    if [ ! -f "$folder/static/libcurl.a" ]; then
        say "libcurl from Debian's source package, HTTPS only, in $folder/curl"
        (
            cd "$folder/curl"
            mkdir -p lists/partial cache/archives/partial
            local key=/usr/share/keyrings/debian-archive-keyring.gpg site
            for site in "debian bookworm" "debian-security bookworm-security"; do
                echo "deb-src [signed-by=$key] http://deb.debian.org/$site main"
            done >sources.list
            local apt=(apt-get -q -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null
                -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User=root)
            "${apt[@]}" update && "${apt[@]}" source --download-only curl
            dpkg-source -x --no-check curl_*.dsc source
            cd source
            ./configure --disable-shared --enable-static --with-openssl --enable-unix-sockets --enable-threaded-resolver \
                --without-ca-bundle --without-ca-path "${CURL_WITHOUT[@]}" \
                CFLAGS="-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$PWD=curl"
            make -C lib -j"$(nproc)"
        ) >"$folder/curl/build.log" 2>&1 || { tail -20 "$folder/curl/build.log" >&2; die "libcurl does not build; see $folder/curl/build.log"; }
        cp "$folder/curl/source/lib/.libs/libcurl.a" "$folder/static/"
    fi
    for library in libssl.a libcrypto.a libsodium.a libstdc++.a; do
        ln -sfn "$(gcc -print-file-name=$library)" "$folder/static/$library"
    done
}

# measured_enclave SOURCE LIBRARIES OUTPUT: enclave-runtime of the package in SOURCE, the same bytes in every folder.
# OUTPUT.archives names the static libraries of which the linker took something.
measured_enclave() {
    local source=$1 libraries=$2 output=$3
    local arguments=(--package-path "$source" --scratch-path "$source/.build-measured" "${STRICT[@]}"
        -c release --static-swift-stdlib --product enclave-runtime
        -Xswiftc -gnone -Xlinker -s -Xlinker --build-id=none -Xlinker "-L$libraries/static"
        -Xlinker "-Map=$output.map" -Xswiftc -Xclang-linker -Xswiftc -static-libgcc)
    ENCLAVE_ONLY=1 swift build "${arguments[@]}"
    grep -oE '[^ /]+\.a\(' "$output.map" | tr -d '(' | sort -u >"$output.archives"
    # The compiler notes a hash of its own inputs there, which differs from folder to folder and is not loaded.
    llvm-objcopy --remove-section .swift_modhash \
        "$(ENCLAVE_ONLY=1 swift build "${arguments[@]}" --show-bin-path)/enclave-runtime" "$output"
}

# package_copy TARGET: the committed sources of the enclave's package in a folder of its own.
package_copy() {
    local paths=(Package.swift enclave shared-proto Tests)
    mkdir -p "$1"
    if git -C "$ROOT" rev-parse -q --verify HEAD >/dev/null 2>&1; then
        [ -z "$(git -C "$ROOT" status --porcelain -- Package.swift enclave shared-proto)" ] ||
            say "Uncommitted changes are left out: an image is built from a commit"
        git -C "$ROOT" archive HEAD "${paths[@]}" | tar -x -C "$1"
    else
        tar -C "$ROOT" -c --exclude=.build "${paths[@]}" | tar -x -C "$1"
    fi
}
