# The table of tests/bench/pingpong: lines "PROGRAM KIND MINIMUM MEDIAN", one for each round.
{
    rows[$1] = 1
    k = $1 SUBSEP $2
    n[k]++
    med[k, n[k]] = $4
    if (!(k in min) || $3 < min[k]) min[k] = $3
}

# The median of the rounds' medians.
function median(k,   i, j, t, m) {
    m = n[k]
    for (i = 1; i <= m; i++) v[i] = med[k, i]
    for (i = 2; i <= m; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return m % 2 ? v[(m + 1) / 2] : (v[m / 2] + v[m / 2 + 1]) / 2
}

END {
    printf "%-27s %10s %10s   %10s %10s   %8s %8s\n", "", "bare", "", "contained", "", "ratio", ""
    printf "%-27s %10s %10s   %10s %10s   %8s %8s\n", "one way, microseconds", "minimum", "median", "minimum", "median",
        "minimum", "median"
    last = split("ib_send_lat ibv_rc_pingpong mpi-8 mpi-4096", names, " ")
    for (r = 1; r <= last; r++) {
        p = names[r]
        b = p SUBSEP "bare"
        c = p SUBSEP "contained"
        if (!n[b] || !n[c]) continue
        # ibv_rc_pingpong tells there and back
        f = p == "ibv_rc_pingpong" ? 2 : 1
        bm = median(b); cm = median(c)
        if (sub(/^mpi-/, "Open MPI, libfabric, ", p)) p = p " B"
        printf "%-27s %10.1f %10.1f   %10.1f %10.1f   %8.2f %8.2f\n", p, min[b] / f, bm / f, min[c] / f, cm / f,
            min[c] / min[b], cm / bm
    }
}
