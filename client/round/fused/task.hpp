// What the kernel is asked for, the memory that it works in, and where what lies.
#pragma once
#include <cstring>

#include "likelihood.hpp"
#include "product.hpp"

struct Task {
  int64_t entities, steps, features, hidden, positions, buckets, covariates, decoder, outputs;
  int64_t likelihood, direct, trained, parameters;
  const int64_t *position;
  const float *inputs, *future, *anchor, *spread, *label, *weight, *given;
  const uint8_t *is_given;
  const float *weight_ih, *weight_hh, *bias_ih, *bias_hh;
  const float *context_weight, *context_bias, *future_weight, *future_bias, *output_weight, *output_bias, *center, *scale;
  double clipping_norm, bound, lattice_step, stability;
  const double *entity_weight;
  int64_t *total;
  double *weighted_total, *norms, *losses;
  float *out, *gradients;
};
enum Trained { ALL, DECODER, OUTPUT };

// One large piece of memory, handed out from its beginning; with `base` null it only counts.
struct Arena {
  char *base;
  int64_t used;
  template <typename T>
  T *take(int64_t number) {
    T *here = (T *)(base + used);
    used += (number * (int64_t)sizeof(T) + 63) / 64 * 64;
    return here;
  }
};

// A piece of the flat gradient: a product of two sets of vectors, or, without `b`, numbers that lie at `at`. A product
// whose `at` is null lies nowhere. Its rows are added `chunk` at a time, the last first.
struct Part {
  Rows a, b;
  int64_t number, chunk, from, size;
  Floats *at;
};
enum PartName {  // in the order of the model's parameters; a GRU's fresh state comes of other slopes than its gates
  INPUT_GATES, INPUT_FRESH, STATES, INPUT_BIAS, STATE_BIAS, CONTEXT, CONTEXT_BIAS, FUTURE, FUTURE_BIAS, OUTPUT_WEIGHT,
  OUTPUT_BIAS, PARTS
};
constexpr int64_t LEAN_BLOCKS = 3;  // up to so many keep no gradient: beyond them an ordinary step takes twice as much anyway

struct Work {
  int64_t read, context, width, rows, length;  // columns of what is read, number of buckets, steps that matter
  int64_t seen_row, gate_row;  // vectors from one step to the next: an odd number, else all steps share a few lines of a cache
  Matrix gates_of_state, gates_of_input, new_input, new_state, state_back, context_map, future_map, output_map;
  Matrix context_back;
  float *joint_bias, *decoder_bias;
  int64_t *first_at, *next_at;
  Floats *seen, *gates, *pulled, *carried, *contexts, *ahead, *base, *hidden, *read_out, *logits, *slopes, *deltas, *summed;
  Floats *gradient, *strip;
  Doubles *buckets;
  Part parts[PARTS];
  bool lean;
  int64_t chunk;
  Work(const Task &t, Arena &arena);
};

Work::Work(const Task &t, Arena &arena) {
  const int64_t h = t.hidden, f = t.features, d = t.decoder;
  read = h + f, context = h + f, width = d + (t.direct ? f : 0), rows = t.positions * t.buckets, length = t.steps;
  seen_row = read | 1, gate_row = 4 * h + 1;
  lean = !t.gradients && t.likelihood != ROWS && (t.out || t.entities <= LEAN_BLOCKS * L);
  chunk = CACHED_BYTES / (seen_row * (int64_t)sizeof(Floats));
  if (chunk < 16) chunk = 16;
  const int64_t c = t.covariates + 1;
  gates_of_state = {t.weight_hh, 2 * h, h, h, 1}, new_state = {t.weight_hh + 2 * h * h, h, h, h, 1};
  gates_of_input = {t.weight_ih, 2 * h, f, f, 1}, new_input = {t.weight_ih + 2 * h * f, h, f, f, 1};
  state_back = {t.weight_hh, h, 3 * h, 1, h}, context_back = {t.context_weight, h, d, 1, context};
  context_map = {t.context_weight, d, context, context, 1}, future_map = {t.future_weight, d, c, c, 1};
  output_map = {t.output_weight, t.outputs, width, width, 1};
  joint_bias = arena.take<float>(2 * h), decoder_bias = arena.take<float>(d);
  first_at = arena.take<int64_t>(t.steps), next_at = arena.take<int64_t>(t.positions);
  seen = arena.take<Floats>((length + 1) * seen_row), gates = arena.take<Floats>(length * gate_row);
  pulled = arena.take<Floats>(t.positions * h), carried = arena.take<Floats>(h);
  contexts = arena.take<Floats>(t.positions * context), ahead = arena.take<Floats>(rows * c);
  base = arena.take<Floats>(t.positions * d), read_out = arena.take<Floats>(rows * width);
  deltas = arena.take<Floats>(rows * d), hidden = t.direct ? deltas : read_out;  // each lies where nothing is lost
  logits = arena.take<Floats>(rows * t.outputs), slopes = arena.take<Floats>(rows * t.outputs);
  summed = arena.take<Floats>(t.positions * d);
  gradient = arena.take<Floats>(lean ? 6 * h + 2 * d + t.outputs : t.parameters);
  int64_t longest = read > width ? read : width;
  if (longest < c) longest = c;
  strip = arena.take<Floats>(lean ? OUTER_ROWS * longest : 0);
  buckets = arena.take<Doubles>(8);
}

static void prepare_weights(const Task &t, Work &w) {
  if (t.likelihood == ROWS) return;
  const int64_t h = t.hidden, f = t.features, d = t.decoder;
  for (int64_t k = 0; k < 2 * h; k++) w.joint_bias[k] = t.bias_ih[k] + t.bias_hh[k];
  if (t.likelihood == SQUARED_STATES) return;
  for (int64_t k = 0; k < d; k++) w.decoder_bias[k] = t.context_bias[k] + t.future_bias[k];
  w.length = 0;
  for (int64_t step = 0; step < t.steps; step++) w.first_at[step] = -1;
  for (int64_t p = 0; p < t.positions; p++) {
    w.next_at[p] = w.first_at[t.position[p]], w.first_at[t.position[p]] = p;
    if (t.position[p] >= w.length) w.length = t.position[p] + 1;
  }
}

static void lay_parts(const Task &t, Work &w) {
  const int64_t h = t.hidden, f = t.features, d = t.decoder, c = t.covariates + 1, o = t.outputs;
  int64_t from = 0;
  Floats *next = w.gradient;
  auto lay = [&](int name, Rows a, Rows b, int64_t number, int64_t chunk) {
    const int64_t size = a.columns * b.columns;
    const bool lies = !(w.lean && b.values);
    w.parts[name] = {a, b, number, chunk, from, size, lies ? next : nullptr};
    from += size, next += lies ? size : 0;
  };
  auto lay_bias = [&](int name, int64_t size) { lay(name, {nullptr, 0, size}, {nullptr, 0, 1}, 0, 1); };
  const int64_t all = t.likelihood != ROWS && t.trained == ALL, decoder = t.likelihood != ROWS && t.trained != OUTPUT;
  const Floats *gates = w.gates + h;
  lay(INPUT_GATES, {gates, w.gate_row, 2 * h * all}, {w.seen + h, w.seen_row, f}, w.length, w.chunk);
  lay(INPUT_FRESH, {w.gates, w.gate_row, h * all}, {w.seen + h, w.seen_row, f}, w.length, w.chunk);
  lay(STATES, {gates, w.gate_row, 3 * h * all}, {w.seen, w.seen_row, h}, w.length, w.chunk);
  lay_bias(INPUT_BIAS, 3 * h * all), lay_bias(STATE_BIAS, 3 * h * all);
  lay(CONTEXT, {w.summed, d, d * decoder}, {w.contexts, w.context, w.context}, t.positions, t.positions);
  lay_bias(CONTEXT_BIAS, d * decoder);
  lay(FUTURE, {w.deltas, d, d * decoder}, {w.ahead, c, c}, w.rows, w.rows);
  lay_bias(FUTURE_BIAS, d * decoder);
  lay(OUTPUT_WEIGHT, {w.slopes, o, o}, {w.read_out, w.width, w.width}, w.rows, w.rows);
  lay_bias(OUTPUT_BIAS, t.likelihood == ROWS ? t.parameters : o);
}

static void prepare(const Task &t, Work &w) {
  prepare_weights(t, w);
  lay_parts(t, w);
}

// Lay `columns` numbers of `rows` rows of each entity side by side; `stride` vectors from one row to the next.
static void spread(const float *from, int64_t size, int64_t number, int64_t rows, int64_t columns, Floats *to, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      float *lanes = (float *)(to + r * stride + c);
      for (int64_t lane = 0; lane < L; lane++) lanes[lane] = lane < number ? from[lane * size + r * columns + c] : 0.0f;
    }
}
