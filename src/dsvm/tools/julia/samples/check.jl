using LinearAlgebra, Random, Statistics, Distributed
import SHA

demand(ok, what) = ok || (println(stderr, what); exit(1))

# BLAS, LAPACK, and the same product in plain loops that Julia compiles.
function product(a, b)
    c = zeros(size(a, 1), size(b, 2))
    for j in axes(b, 2), k in axes(a, 2), i in axes(a, 1)
        @inbounds c[i, j] += a[i, k] * b[k, j]
    end
    return c
end
Random.seed!(1)
a, b = randn(120, 80), randn(80, 60)
demand(isapprox(a * b, product(a, b)), "BLAS multiplies otherwise than three loops")
hilbert = [1 // (i + j - 1) for i in 1:8, j in 1:8]
demand(inv(hilbert)[8, 8] == 176679360, "the inverse of Hilbert's matrix is another one")
demand(isapprox(eigvals([2.0 1.0; 1.0 2.0]), [1.0, 3.0]), "LAPACK finds other eigenvalues than 1 and 3")
demand(factorial(big(30)) == parse(BigInt, "265252859812191058636308480000000"), "30! is another number")
demand(bytes2hex(SHA.sha256("abc"))[1:8] == "ba7816bf", "SHA-256 of `abc` begins otherwise")

# A type and a method of one's own, chosen by what it is given.
abstract type Shape end
struct Square <: Shape; side::Float64 end
struct Circle <: Shape; radius::Float64 end
area(s::Square) = s.side^2
area(c::Circle) = pi * c.radius^2
demand(isapprox(sum(area, Shape[Square(2), Circle(1)]), 4 + pi), "the areas are not 4 + pi")

# Primes below ten thousand, counted by another process.
addprocs(1; exeflags = "--startup-file=no")
@everywhere prime(n) = n > 1 && all(n % d != 0 for d in 2:isqrt(n))
counted, worker = fetch(@spawnat 2 (count(prime, 1:10_000), getpid()))
demand(counted == 1229, "it counts $counted primes below 10000, there are 1229")
demand(worker != getpid(), "the other process is this one")
rmprocs(workers())

# Kepler's orbit by Runge and Kutta: after one period the planet is where it was.
function orbit(steps)
    pull(s) = [s[3], s[4], -s[1] / hypot(s[1], s[2])^3, -s[2] / hypot(s[1], s[2])^3]
    state, h, way = [0.5, 0.0, 0.0, sqrt(3)], 2pi / steps, Vector{Float64}[]
    for _ in 1:steps
        push!(way, state)
        k1 = pull(state); k2 = pull(state + h / 2 * k1); k3 = pull(state + h / 2 * k2); k4 = pull(state + h * k3)
        state += h / 6 * (k1 + 2k2 + 2k3 + k4)
    end
    return way, state
end
way, last = orbit(4000)
demand(norm(last - way[1]) < 1e-6, "after a period the planet is $(norm(last - way[1])) away")
open("orbit.svg", "w") do file
    points = join(("$(round(200 + 110s[1], digits = 1)),$(round(130 - 110s[2], digits = 1))" for s in way[1:20:end]), " ")
    print(file, """<svg xmlns="http://www.w3.org/2000/svg" width="340" height="260">
    <rect width="340" height="260" fill="#ffffff"/><circle cx="200" cy="130" r="6" fill="#c8792b"/>
    <polyline points="$points" fill="none" stroke="#33516e" stroke-width="2"/></svg>""")
end
