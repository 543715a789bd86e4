// Numbers of several entities side by side: lane i of every vector belongs to entity i, and to no other.
//
// Whatever is done to a vector is done to each lane by the same instruction, so what an entity gives depends on neither
// its lane nor its neighbours. Comparisons are written so that a number that is none stays none: an entity without a
// finite gradient must count as nobody, and not as something that a clamp made of it.
#pragma once
#include <cmath>
#include <cstdint>

#ifndef LANES
#define LANES 4
#endif

constexpr int L = LANES, HALF = LANES / 2;
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef float HalfFloats __attribute__((vector_size(2 * LANES)));
typedef int32_t HalfInts __attribute__((vector_size(2 * LANES)));
typedef double Doubles __attribute__((vector_size(4 * LANES)));  // of half of the lanes
typedef int64_t Longs __attribute__((vector_size(4 * LANES)));
typedef uint64_t Bits __attribute__((vector_size(4 * LANES)));

static inline Floats all(float value) { return Floats{} + value; }
static inline Doubles every(double value) { return Doubles{} + value; }
static inline Floats at_most(Floats x, float most) { return x > most ? all(most) : x; }
static inline Floats at_least(Floats x, float least) { return x < least ? all(least) : x; }
static inline Doubles at_most(Doubles x, double most) { return x > most ? every(most) : x; }
static inline Doubles at_least(Doubles x, double least) { return x < least ? every(least) : x; }
static inline Doubles widen(const HalfFloats &x) { return __builtin_convertvector(x, Doubles); }
static inline HalfFloats narrow(const Doubles &x) { return __builtin_convertvector(x, HalfFloats); }

// The sum of all lanes, in one order: of halves, of quarters, and so on.
template <typename Vector>
static inline auto add_lanes(Vector x) {
#if LANES == 16 && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
  auto four = __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
  auto two = __builtin_shufflevector(four, four, 0, 1) + __builtin_shufflevector(four, four, 2, 3);
  return two[0] + two[1];
#endif
#endif
  auto sum = x[0];
  for (int lane = 1; lane < HALF; lane++) sum += x[lane];
  return sum;
}

// exp in single precision, to about two units in the last place (Cephes' polynomial).
static inline Floats exponential(Floats x) {
  x = at_least(at_most(x, 88.0f), -87.0f);
  const float round = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest whole number in the last bits
  Floats shifted = x * 1.44269504f + round, whole = shifted - round;
  Ints power = (Ints)shifted - (Ints)all(round);
  x = x - whole * 0.693359375f;
  x = x + whole * 2.12194440e-4f;
  Floats y = x * 1.9875691500e-4f + 1.3981999507e-3f;
  y = y * x + 8.3334519073e-3f;
  y = y * x + 4.1665795894e-2f;
  y = y * x + 1.6666665459e-1f;
  y = y * x + 5.0000001201e-1f;
  y = y * x * x + x + 1.0f;
  return y * (Floats)((power + 127) << 23);
}
// Two at the price of one division; below -43 both are 2e-19, so that their product is a number.
static inline void sigmoids(Floats &a, Floats &b) {
  Floats over_a = 1.0f + exponential(-at_least(a, -43.0f)), over_b = 1.0f + exponential(-at_least(b, -43.0f));
  Floats both = 1.0f / (over_a * over_b);
  a = over_b * both, b = over_a * both;
}
static inline Floats hyperbolic(Floats x) { return 2.0f / (1.0f + exponential(-(x + x))) - 1.0f; }

// The same in double precision, to a few units in the last place.
static inline Doubles exponential(Doubles x) {
  x = at_least(at_most(x, 700.0), -700.0);
  const double round = 6755399441055744.0;  // 1.5 * 2^52
  Doubles shifted = x * 1.4426950408889634 + round, whole = shifted - round;
  Longs power = (Longs)shifted - (Longs)every(round);
  x = x - whole * 6.93145751953125e-1;
  x = x - whole * 1.42860682030941723212e-6;
  Doubles y = every(1.0 / 6227020800.0);
  const double over_factorial[] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
                                   1.0 / 5040,      1.0 / 720,      1.0 / 120,     1.0 / 24,     1.0 / 6,
                                   0.5,             1.0,            1.0};
  for (double each : over_factorial) y = y * x + each;
  return y * (Doubles)((power + 1023) << 52);
}

// The logarithm of a finite number above 0; of anything else no number.
static inline Doubles logarithm(Doubles x) {
  Bits bits = (Bits)x;
  Doubles mantissa = (Doubles)((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  Longs exponent = (Longs)(bits >> 52) - 1023;
  Longs large = mantissa > 1.4142135623730951;
  mantissa = large ? mantissa * 0.5 : mantissa;
  exponent = exponent - large;  // a comparison gives -1 where it holds
  const double round = 6755399441055744.0;
  Doubles power = (Doubles)(exponent + (Longs)every(round)) - round;
  Doubles f = (mantissa - 1.0) / (mantissa + 1.0), square = f * f, sum = every(1.0 / 23.0);
  for (int odd = 21; odd >= 1; odd -= 2) sum = sum * square + 1.0 / odd;
  Doubles value = power * 0.6931471805599453 + 2.0 * f * sum;
  Longs proper = (x > 0.0) & (x <= 1.7976931348623157e308);
  return proper ? value : every(NAN);
}

static inline Doubles softplus(Doubles x) {
  Doubles size = x < 0.0 ? x : -x;
  return at_least(x, 0.0) + logarithm(1.0 + exponential(size));
}
static inline Doubles sigmoid(Doubles x) { return 1.0 / (1.0 + exponential(-x)); }

// log Gamma(x) and its derivative, for x above 0: Stirling's series, from 8 on; below, eight steps of the recurrence.
struct Gamma {
  Doubles log, slope;
};
static inline Gamma gamma_of(Doubles x) {
  Longs small = x < 8.0;
  Doubles product = x, derivative = every(1.0);
  for (int step = 1; step < 8; step++) {
    Doubles factor = x + (double)step;
    derivative = derivative * factor + product;
    product = product * factor;
  }
  Doubles y = small ? x + 8.0 : x;
  product = small ? product : every(1.0);
  derivative = small ? derivative : every(0.0);
  Doubles z = 1.0 / y, s = z * z, log_y = logarithm(y);
  Doubles series = s * (-691.0 / 360360) + 1.0 / 1188;
  series = series * s - 1.0 / 1680;
  series = series * s + 1.0 / 1260;
  series = series * s - 1.0 / 360;
  series = series * s + 1.0 / 12;
  Doubles slope = s * (691.0 / 32760) - 1.0 / 132;
  slope = slope * s + 1.0 / 240;
  slope = slope * s - 1.0 / 252;
  slope = slope * s + 1.0 / 120;
  slope = slope * s - 1.0 / 12;
  Doubles log = (y - 0.5) * log_y - y + 0.91893853320467274178 + series * z - logarithm(product);
  return {log, log_y - 0.5 * z + slope * s - derivative / product};
}
