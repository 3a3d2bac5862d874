// What a tuned C++ program does that does less: plain window de-duplication, arrive / move / depart, member look-up.
//
//   window READS        one pass with fresh state for each line on stdin, one JSON object a pass on stdout
//
// READS: u64 reads, u64 members, then reads x Read, then members x 12 bytes of EPC.  Little-endian.
// One read makes an arrival; a tag moves to the first zone that reads it 6 dB stronger; a sweep each second lets depart
// what was unseen for 10 s.  No confirmation, no means over antennas, no ordered deadlines, no evidence, no bounds.
// Tuned: one index of 8-byte entries (32 bits of hash, record number) to 32-byte records that hold the window of the
// current zone; windows of other zones apart; huge pages; index and records prefetched a block ahead.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

constexpr int64_t WINDOW_NS = 2'000'000'000, DEPART_NS = 10'000'000'000, SWEEP_NS = 1'000'000'000, NEVER = INT64_MIN / 2;
constexpr int MOVE_CDBM = 600, SMOOTHING_SHIFT = 2, BLOCK = 32;

struct Epc { uint64_t low; uint32_t high; } __attribute__((packed));
struct Read { int64_t t_ns; Epc epc; uint16_t zone; int16_t cdbm; };
struct Tag { Epc epc; uint16_t zone; int16_t cdbm; int64_t last_ns, kept_ns; };
struct Other { uint64_t key; int64_t kept_ns; };
struct Member { Epc epc; uint32_t used; };
static_assert(sizeof(Read) == 24 && sizeof(Tag) == 32 && sizeof(Member) == 16);

static bool same(const Epc& a, const Epc& b) { return a.low == b.low && a.high == b.high; }

static uint64_t mix(uint64_t a, uint64_t b) {
    auto product = static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD6E8FEB86659FD93);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
static uint64_t hash(const Epc& epc) { return mix(epc.low, epc.high); }

template <class T> struct Table {  // zeroed memory for a power of two of entries, on huge pages where there are any
    explicit Table(size_t least) : size(64) {
        while (size < least) size *= 2;
        data = static_cast<T*>(aligned_alloc(2 << 20, std::max<size_t>(size * sizeof(T), 2 << 20)));
        madvise(data, size * sizeof(T), MADV_HUGEPAGE);
        memset(static_cast<void*>(data), 0, size * sizeof(T));
    }
    Table(const Table&) = delete;
    ~Table() { free(data); }
    T& operator[](uint64_t at) { return data[at & (size - 1)]; }
    size_t size;
    T* data;
};

struct Members {
    explicit Members(const std::vector<Epc>& cards) : table(cards.size() * 3 / 2) {
        for (const Epc& card : cards) {
            uint64_t at = hash(card);
            while (table[at].used && !same(table[at].epc, card)) ++at;
            table[at] = {card, 1};
        }
    }
    bool holds(const Epc& epc, uint64_t at) {
        for (; table[at].used; ++at)
            if (same(table[at].epc, epc)) return true;
        return false;
    }
    Table<Member> table;
};

struct Counts { uint64_t kept, arrivals, moves, departures, hits; };

class Watch {
  public:
    Watch(Members& members, size_t tags) : members_(members), index_(2 * tags), others_(2 * tags) {}

    void feed(const Read* reads, size_t count) {
        uint64_t hashes[BLOCK];
        for (size_t start = 0; start < count; start += BLOCK) {
            int size = static_cast<int>(std::min<size_t>(BLOCK, count - start));
            for (int i = 0; i < size; ++i) __builtin_prefetch(&index_[hashes[i] = hash(reads[start + i].epc)]);
            for (int i = 0; i < size; ++i)
                if (uint64_t entry = index_[hashes[i]]) __builtin_prefetch(&tags_[(entry & 0xFFFFFFFF) - 1]);
            for (int i = 0; i < size; ++i) see(reads[start + i], hashes[i]);
        }
    }
    Counts counts{};

  private:
    void see(const Read& read, uint64_t h) {
        if (read.t_ns >= sweep_ns_) sweep(read.t_ns);
        uint64_t at = h;
        for (uint64_t entry; (entry = index_[at]); ++at)
            if (entry >> 32 == (h & 0xFFFFFFFF)) {
                uint32_t number = (entry & 0xFFFFFFFF) - 1;
                if (same(tags_[number].epc, read.epc)) return sight(number, read, h);
            }
        arrive(at, read, h);
    }

    void sight(uint32_t number, const Read& read, uint64_t h) {
        Tag& tag = tags_[number];
        tag.last_ns = read.t_ns;
        if (tag.zone == read.zone) {
            pass(tag.kept_ns, read, h);
            tag.cdbm += (read.cdbm - tag.cdbm) >> SMOOTHING_SHIFT;
            return;
        }
        Other& there = other(number, read.zone);
        pass(there.kept_ns, read, h);
        if (read.cdbm <= tag.cdbm + MOVE_CDBM) return;
        int64_t kept_ns = there.kept_ns;
        other(number, tag.zone).kept_ns = tag.kept_ns;
        tag.zone = read.zone, tag.cdbm = read.cdbm, tag.kept_ns = kept_ns;
        ++counts.moves;
    }

    void arrive(uint64_t at, const Read& read, uint64_t h) {
        uint32_t number = static_cast<uint32_t>(tags_.size());
        if (free_.empty()) tags_.emplace_back();
        else number = free_.back(), free_.pop_back();
        index_[at] = h << 32 | (number + 1);
        tags_[number] = {read.epc, read.zone, read.cdbm, read.t_ns, NEVER};
        pass(tags_[number].kept_ns, read, h);
        ++counts.arrivals;
        if (2 * ++used_ > index_.size) fputs("window: more tags than expected\n", stderr), exit(2);
    }

    void pass(int64_t& kept_ns, const Read& read, uint64_t h) {
        if (read.t_ns - kept_ns < WINDOW_NS) return;
        kept_ns = read.t_ns;
        ++counts.kept;
        counts.hits += members_.holds(read.epc, h);
    }

    // The window of a tag in a zone that is not its current one.  A number is used again 10 s later at the soonest, when
    // what its last owner left is long over.
    Other& other(uint32_t number, uint16_t zone) {
        uint64_t key = (static_cast<uint64_t>(number) << 16 | zone) + 1, at = mix(key, 0);
        while (others_[at].key && others_[at].key != key) ++at;
        if (!others_[at].key) {
            others_[at] = {key, NEVER};
            if (2 * ++others_used_ > others_.size) fputs("window: more places than expected\n", stderr), exit(2);
        }
        return others_[at];
    }

    void sweep(int64_t now_ns) {
        for (uint32_t number = 0; number < tags_.size() && sweep_ns_ != NEVER; ++number)
            if (tags_[number].last_ns != NEVER && now_ns - tags_[number].last_ns > DEPART_NS) depart(number);
        sweep_ns_ = now_ns + SWEEP_NS;
    }

    void depart(uint32_t number) {  // out of the index by shifting back what probed past it
        uint64_t h = hash(tags_[number].epc), mask = index_.size - 1, hole = h & mask;
        while (index_[hole] != (h << 32 | (number + 1))) hole = (hole + 1) & mask;
        for (uint64_t at = (hole + 1) & mask; index_[at]; at = (at + 1) & mask)
            if (((at - (index_[at] >> 32)) & mask) >= ((at - hole) & mask)) index_[hole] = index_[at], hole = at;
        index_[hole] = 0;
        tags_[number].last_ns = NEVER;
        free_.push_back(number);
        ++counts.departures, --used_;
    }

    Members& members_;
    Table<uint64_t> index_;
    Table<Other> others_;
    std::vector<Tag> tags_;
    std::vector<uint32_t> free_;
    size_t used_ = 0, others_used_ = 0;
    int64_t sweep_ns_ = NEVER;
};

template <class T> static std::vector<T> load(FILE* file, uint64_t count) {
    std::vector<T> rows(count);
    if (fread(static_cast<void*>(rows.data()), sizeof(T), count, file) != count) fputs("window: file cut short\n", stderr), exit(2);
    return rows;
}

static double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int main(int count, char** arguments) {
    FILE* file = count == 2 ? fopen(arguments[1], "rb") : nullptr;
    if (!file) return fputs("window: wants one file of reads\n", stderr), 2;
    auto sizes = load<uint64_t>(file, 2);
    auto reads = load<Read>(file, sizes[0]);
    auto cards = load<Epc>(file, sizes[1]);
    double start = seconds();
    Members members(cards);
    double ready = seconds() - start;
    while (getchar() != EOF) {
        Watch watch(members, 1 << 18);
        start = seconds();
        watch.feed(reads.data(), reads.size());
        double each_ns = 1e9 * (seconds() - start) / reads.size();
        const Counts& c = watch.counts;
        printf("{\"ns_per_read\":%.2f,\"members_ready_s\":%.3f,\"kept\":%lu,\"arrivals\":%lu,\"moves\":%lu,\"departures\":%lu,\"hits\":%lu}\n",
               each_ns, ready, c.kept, c.arrivals, c.moves, c.departures, c.hits);
        fflush(stdout);
    }
}
