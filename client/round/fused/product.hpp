// Products of a matrix that all entities share with a vector of each (`Matrix`), and sums over rows of products of two
// vectors of each (`add_outer`). Sums stay in registers: a tile of rows, or of rows and columns, at a time.
#pragma once
#include "lanes.hpp"

constexpr int TILE = 8;                              // rows of a shared matrix
constexpr int OUTER_ROWS = 8;                        // of a tile of outer products
constexpr int OUTER_COLUMNS = LANES == 16 ? 3 : 1;   // as many as there are registers
constexpr int64_t CACHED_BYTES = 5 << 17;            // of what an outer product reads again and again

// A shared matrix, where the model has it: how far apart its rows are, and its columns, so that it may be read turned.
struct Matrix {
  const float *values;
  int64_t rows, columns, row, column;
};

template <int R, bool ADD>
static inline void multiply_tile(const Matrix &m, int64_t first, const Floats *in, const float *bias, Floats *out) {
  const float *w = m.values + first * m.row;
  Floats sum[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) sum[r] = ADD ? out[first + r] : (bias ? all(bias[first + r]) : all(0.0f));
  for (int64_t k = 0; k < m.columns; k++, w += m.column) {
    Floats x = in[k];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) sum[r] += w[r * m.row] * x;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) out[first + r] = sum[r];
}

// out = bias + matrix · in, or with ADD out += matrix · in.
template <bool ADD>
static inline void multiply(const Matrix &m, const Floats *in, const float *bias, Floats *out) {
  int64_t r = 0;
  for (; r + TILE <= m.rows; r += TILE) multiply_tile<TILE, ADD>(m, r, in, bias, out);
  switch (m.rows - r) {
    case 1: multiply_tile<1, ADD>(m, r, in, bias, out); break;
    case 2: multiply_tile<2, ADD>(m, r, in, bias, out); break;
    case 3: multiply_tile<3, ADD>(m, r, in, bias, out); break;
    case 4: multiply_tile<4, ADD>(m, r, in, bias, out); break;
    case 5: multiply_tile<5, ADD>(m, r, in, bias, out); break;
    case 6: multiply_tile<6, ADD>(m, r, in, bias, out); break;
    case 7: multiply_tile<7, ADD>(m, r, in, bias, out); break;
  }
}

// Some columns of some vectors, one below the other: `stride` apart.
struct Rows {
  const Floats *values;
  int64_t stride, columns;
  Rows from(int64_t row) const { return {values + row * stride, stride, columns}; }
};

template <int R, int C, bool ADD>
static inline void outer_tile(const Floats *a, int64_t as, const Floats *b, int64_t bs, int64_t n, Floats *out, int64_t ld) {
  Floats sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 3
    for (int c = 0; c < C; c++) sum[r][c] = ADD ? out[r * ld + c] : all(0.0f);
  for (int64_t t = 0; t < n; t++, a += as, b += bs) {
    Floats x[C];
#pragma GCC unroll 3
    for (int c = 0; c < C; c++) x[c] = b[c];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      Floats y = a[r];
#pragma GCC unroll 3
      for (int c = 0; c < C; c++) sum[r][c] += y * x[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 3
    for (int c = 0; c < C; c++) out[r * ld + c] = sum[r][c];
}

template <int R, bool ADD>
static __attribute__((noinline)) void outer_strip(const Floats *a, int64_t as, const Rows &b, int64_t n, Floats *out) {
  int64_t c = 0;
  for (; c + OUTER_COLUMNS <= b.columns; c += OUTER_COLUMNS)
    outer_tile<R, OUTER_COLUMNS, ADD>(a, as, b.values + c, b.stride, n, out + c, b.columns);
  for (; c < b.columns; c++) outer_tile<R, 1, ADD>(a, as, b.values + c, b.stride, n, out + c, b.columns);
}

// How many rows of an outer product are worked out at once, where so many are left.
static inline int64_t rows_at_once(int64_t left) { return left >= OUTER_ROWS ? OUTER_ROWS : left >= 2 ? 2 : left; }

template <bool ADD>
static inline void add_strip(int64_t rows, const Floats *a, int64_t as, const Rows &b, int64_t n, Floats *out) {
  if (rows == OUTER_ROWS) outer_strip<OUTER_ROWS, ADD>(a, as, b, n, out);
  else if (rows == 2) outer_strip<2, ADD>(a, as, b, n, out);
  else outer_strip<1, ADD>(a, as, b, n, out);
}

// out[r][c] = sum over n rows of a[row][r] · b[row][c], or with ADD that much more.
template <bool ADD>
static inline void add_outer(const Rows &a, const Rows &b, int64_t n, Floats *out) {
  for (int64_t r = 0, rows; r < a.columns; r += rows) {
    rows = rows_at_once(a.columns - r);
    add_strip<ADD>(rows, a.values + r, a.stride, b, n, out + r * b.columns);
  }
}

template <bool ADD>
static inline void add_rows(const Rows &a, int64_t n, Floats *out) {
  if (!ADD)
    for (int64_t c = 0; c < a.columns; c++) out[c] = all(0.0f);
  for (int64_t t = 0; t < n; t++)
    for (int64_t c = 0; c < a.columns; c++) out[c] += a.values[t * a.stride + c];
}
