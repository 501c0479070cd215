function demand (ok, what)
  if (! ok)
    fprintf (stderr, "%s\n", what);
    exit (1);
  endif
endfunction

n = 8;
hilbert = hilb (n);
demand (norm (hilbert * (hilbert \ ones (n, 1)) - 1) < 1e-6, "A \\ b does not solve A x = b");
demand (abs (sum (svd (magic (4)) .^ 2) - sumsq (magic (4)(:))) < 1e-9, "svd: another norm than the matrix's own");

t = (0:255) / 256;
wave = sin (2 * pi * 5 * t) + 0.5 * sin (2 * pi * 40 * t);
power = abs (fft (wave))(1:128) / 128;
[height, place] = max (power);
demand (place == 6 && abs (height - 1) < 1e-9, "fft: the wave of frequency 5 is not found");

y = ode45 (@(t, y) -y, [0 1], 1, odeset ("RelTol", 1e-8)).y(end);
demand (abs (y - exp (-1)) < 1e-6, "ode45: exp(-1) is not reached");

x = (1:9)';
demand (norm (polyfit (x, 2 * x .^ 2 - 3 * x + 1, 2) - [2 -3 1]) < 1e-8, ...
        "polyfit: another parabola than the one it was given");

graphics_toolkit ("gnuplot");
figure ("visible", "off");
plot (t, wave);
title ("two waves");
print ("-dpng", "-S480,320", "wave.png");
