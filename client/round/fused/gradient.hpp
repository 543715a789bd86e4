// A flat gradient of a block of entities, in the order of the model's parameters: it lies there whole, or, where memory
// counts for more than time (`Work::lean`), a few rows of it are worked out whenever they are read.
//
// Both call the same compiled function with the same numbers in the same order, so both give the same bits: what an
// entity adds cannot depend on which of them is chosen, and the second reading is what the norm was taken of.
#pragma once
#include "task.hpp"

constexpr int SUMS = 4;  // several, so that no addition waits for the one before
constexpr double LARGEST = 1.7976931348623157e308;

// Add what some rows give to a product that lies there; without ADD they are the first to.
template <bool ADD>
static void multiply_out(const Part &part, int64_t first, int64_t number) {
  if (part.at && part.b.values) add_outer<ADD>(part.a.from(first), part.b.from(first), number, part.at);
}

// Work out the rows of a product that begin at `row`: as many as `add_outer` takes at once.
static int64_t make_strip(const Part &part, int64_t row, Floats *out) {
  const int64_t rows = rows_at_once(part.a.columns - row);
  for (int64_t last = part.number; last > 0; last -= part.chunk) {
    const int64_t first = last > part.chunk ? last - part.chunk : 0;
    const Rows a = part.a.from(first), b = part.b.from(first);
    if (last == part.number) add_strip<false>(rows, a.values + row, a.stride, b, last - first, out);
    else add_strip<true>(rows, a.values + row, a.stride, b, last - first, out);
  }
  return rows;
}

// Show the whole gradient, piece by piece, in its order: where a piece lies, where it begins, and how long it is.
template <typename Show>
static inline void for_each_piece(const Work &w, const Show &show) {
  for (const Part &part : w.parts) {
    if (part.at) {
      if (part.size) show(part.at, part.from, part.size);
      continue;
    }
    for (int64_t row = 0, rows; row < part.a.columns; row += rows) {
      rows = make_strip(part, row, w.strip);
      show(w.strip, part.from + row * part.b.columns, rows * part.b.columns);
    }
  }
}

static inline void add_square(const Floats *from, Doubles *to) {
  const HalfFloats *halves = (const HalfFloats *)from;
  const Doubles low = widen(halves[0]), high = widen(halves[1]);
  to[0] += low * low, to[1] += high * high;
}

// Add the squares of a piece: each to the sum that its place in the gradient says, however the gradient is cut.
static __attribute__((noinline)) void add_squares(const Floats *values, int64_t from, int64_t size, Doubles (*sums)[2]) {
  int64_t k = 0;
  for (; k < size && (from + k) % SUMS; k++) add_square(values + k, sums[(from + k) % SUMS]);
  for (; k + SUMS <= size; k += SUMS)
#pragma GCC unroll 4
    for (int sum = 0; sum < SUMS; sum++) add_square(values + k + sum, sums[sum]);
  for (; k < size; k++) add_square(values + k, sums[(from + k) % SUMS]);
}
