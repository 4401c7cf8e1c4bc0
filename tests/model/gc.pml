/*
 * Garbage collection beside pushes of one archive, as src/skill/gc.c, push.c and meta_artifacts.c do it
 * (ARCHITECTURE.md, "Garbage"). An `atomic` is a transaction of the database, or one call to the file
 * system; between two of them everybody else may come, and the collector may die.
 *
 * Must hold: a version that is there has its archive, durably, whatever was collected meanwhile; and when
 * all is quiet nothing is left that no version holds.
 *
 * test_model.py checks it as it is, and again with each BREAK_… defined, which must be found out.
 */
#define NONE      0
#define LIVE      1
#define CONDEMNED 2
#define DELETING  3

#define PUSHES 2 /* of each of the pushers */
#define PASSES 3 /* of the collector */
#define FILES  8 /* every link makes a new one */

byte record = NONE;  /* the archive's, in the database */
byte versions = 0;   /* that hold it */
byte file = 0;       /* which file has the archive's name; 0: none */
byte last = 0;       /* the newest file */
bool durable[FILES]; /* the name has been synced since it was given to that file */
bool held = false;   /* the store, by who removes */
byte pushing = 2;    /* pushers that are not done */

#define GOOD (versions == 0 || (record == LIVE && file != 0 && durable[file]))

/* --- removing, under the hold --- */

inline unlink_file()
{
    atomic { durable[file] = false; file = 0 }
}

inline forget_record()
{
    atomic { if :: record == DELETING -> record = NONE :: else fi }
}

inline finish_deleting()
{
#ifdef BREAK_ORDER
    forget_record();
    unlink_file()
#else
    unlink_file();
    forget_record()
#endif
}

inline condemn()
{
    atomic {
        if
        :: record == LIVE && versions == 0 -> record = CONDEMNED
        :: record == NONE && file != 0 -> record = CONDEMNED
        :: else
        fi
    }
}

inline claim()
{
    claimed = false;
    atomic {
        if
#ifdef BREAK_CLAIM
        :: record == CONDEMNED || record == LIVE -> record = DELETING; claimed = true
#else
        :: record == CONDEMNED && versions == 0 -> record = DELETING; claimed = true
#endif
        :: else
        fi
    }
}

/* May die wherever a step ends: its hold is gone then, what it began stays. */
#define MAY_DIE if :: skip :: goto died fi

proctype collector()
{
    byte pass = 0;
    bool claimed;
    do
    :: pass < PASSES ->
        atomic { !held -> held = true }
        if
        :: record == DELETING -> MAY_DIE; finish_deleting(); MAY_DIE
        :: else
        fi;
        condemn();
        MAY_DIE;
        claim();
        if
        :: claimed ->
            MAY_DIE;
            unlink_file();
            MAY_DIE;
            forget_record()
        :: else
        fi;
died:
        atomic { held = false; pass++ }
    :: else -> break
    od
}

/* --- a push --- */

/* store_put: what is there is made durable and believed; else the spool gets the name. mine: which file
 * it was. */
inline put()
{
    atomic {
        if
        :: file != 0 -> mine = file
        :: else -> last++; file = last; mine = last; durable[last] = false
        fi
    }
    atomic { if :: file == mine -> durable[mine] = true :: else fi }
}

/* gc_await: until it is gone; where nobody holds the store, who began is dead. */
inline await_deletion()
{
    do
    :: record != DELETING -> break
#ifdef BREAK_HOLD
    :: record == DELETING -> finish_deleting()
#else
    :: atomic { record == DELETING && !held -> held = true }
        if
        :: record == DELETING -> finish_deleting()
        :: else
        fi;
        atomic { held = false }
#endif
    od
}

proctype pusher()
{
    byte n = 0, mine;
    bool lost;
    do
    :: n < PUSHES ->
        put();
        lost = true;
        do
        :: lost ->
            atomic {
                if
#ifndef BREAK_DELETING
                :: record == DELETING -> lost = true
#endif
#ifndef BREAK_CONFIRM
                :: file != mine -> lost = true
#endif
                :: else -> lost = false; record = LIVE; versions++
                fi
            }
            if
            :: lost -> await_deletion(); put()
            :: else
            fi
        :: else -> break
        od;
        assert(GOOD); /* acknowledged */
        atomic { versions--; n++ } /* deleted and purged */
    :: else -> break
    od;
    pushing--
}

/* --- what must hold --- */

active proctype watcher()
{
    assert(GOOD)
}

/* When all are done, one undisturbed collection leaves nothing. */
active proctype closing()
{
    bool claimed;
    run pusher();
    run pusher();
    run collector();
    atomic { pushing == 0 && !held && _nr_pr == 2 };
    if
    :: record == DELETING -> finish_deleting()
    :: else
    fi;
    condemn();
    claim();
    if
    :: claimed -> finish_deleting()
    :: else
    fi;
    assert(file == 0 && record == NONE)
}
